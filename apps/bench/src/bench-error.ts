/** Ends a command with one line on standard error and an exit code. */
export { CliError as BenchError, missingError, usageError } from '@vring/cli/errors'
