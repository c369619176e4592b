import { readFileSync } from 'node:fs'
import { startError } from './serve-error.ts'

/**
 * The object file that `--xdp` names.
 *
 * @throws ServeError naming --xdp
 */
export function readProgram(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path))
  } catch (error) {
    throw startError(`--xdp ${path}`, error)
  }
}
