import { CliError, EXIT_MISSING } from '@vring/cli'

/** Ends the judgement with one line on standard error and an exit code. */
export { CliError as JudgeError, usageError } from '@vring/cli'

/** There is nothing to judge. */
export function missingError(what: string): CliError {
  return new CliError(EXIT_MISSING, what)
}
