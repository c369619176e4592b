import { readFileSync } from 'node:fs'
import { usageError } from '../bench-error.ts'
import { parseResults } from './parse-results.ts'
import type { Results } from './results.ts'

/**
 * Results that a user named.
 *
 * @throws BenchError with exit code 2: unreadable, not JSON, another schema, or a field that is wrong
 */
export function readResults(argument: string, path: string): Results {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw usageError(argument, `${path} can't be read (${String((error as { code?: unknown }).code)})`)
  }
  try {
    return parseResults(text, path)
  } catch (error) {
    throw usageError(argument, error instanceof Error ? error.message : String(error))
  }
}
