import { nearestName } from '@vring/registry'
import { EXIT_MISSING, EXIT_USAGE } from './exit-codes.ts'

/** Ends a program with one line on standard error and an exit code. */
export class CliError extends Error {
  override readonly name: string = 'CliError'
  readonly exitCode: number

  constructor(exitCode: number, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.exitCode = exitCode
  }
}

/** Unusable arguments: names the argument and what is accepted. */
export function usageError(argument: string, problem: string): CliError {
  return new CliError(EXIT_USAGE, `${argument}: ${problem}`)
}

/** A peer or privilege that was asked for is missing: names the package or capability. */
export function missingError(what: string, remedy: string): CliError {
  return new CliError(EXIT_MISSING, `${what} is missing: ${remedy}`)
}

/** `; did you mean X?` where a name is near. */
export function didYouMean(value: string, names: Iterable<string>): string {
  const near = nearestName(value, names)
  return near === null ? '' : `; did you mean ${near}?`
}
