import { placeOf } from '@vring/registry'
import { BenchError, usageError } from '../bench-error.ts'
import { isBuiltIn } from '../load-registry.ts'

/**
 * Runs what an accessor is written in. What a plugin's code throws is its own and no error of this program.
 *
 * @throws BenchError with exit code 2 that names the accessor of a plugin
 */
export function runAccessorCode<T>(accessor: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof BenchError || isBuiltIn('accessor', accessor)) throw error
    throw usageError(
      '--plugin',
      `accessor ${accessor} throws: ${firstLine(error)}${placeOf(error)}; accepted: one that serves a ring`,
    )
  }
}

/** What was thrown, an error or not, in one line. */
function firstLine(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message || thrown.name : String(thrown)
  return message.split('\n', 1)[0]!
}
