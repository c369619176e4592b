import { EXIT_MISSING, EXIT_USAGE } from './exit-codes.ts'

/** Ends a command with one line on standard error and an exit code. */
export class BenchError extends Error {
  override readonly name = 'BenchError'
  readonly exitCode: number

  constructor(exitCode: number, message: string) {
    super(message)
    this.exitCode = exitCode
  }
}

/** Unusable arguments: names the argument and what is accepted. */
export function usageError(argument: string, problem: string): BenchError {
  return new BenchError(EXIT_USAGE, `${argument}: ${problem}`)
}

/** A peer or privilege that was asked for is missing: names the package or capability. */
export function missingError(what: string, remedy: string): BenchError {
  return new BenchError(EXIT_MISSING, `${what} is missing: ${remedy}`)
}
