import { EXIT_MISSING, EXIT_USAGE } from './exit-codes.ts'

/** Ends the judgement with one line on standard error and an exit code. */
export class JudgeError extends Error {
  override readonly name = 'JudgeError'
  readonly exitCode: number

  constructor(exitCode: number, message: string) {
    super(message)
    this.exitCode = exitCode
  }
}

/** Unusable arguments: names the argument and what is accepted. */
export function usageError(argument: string, problem: string): JudgeError {
  return new JudgeError(EXIT_USAGE, `${argument}: ${problem}`)
}

/** There is nothing to judge. */
export function missingError(what: string): JudgeError {
  return new JudgeError(EXIT_MISSING, what)
}
