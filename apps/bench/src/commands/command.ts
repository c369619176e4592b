import type { OptionTable } from '@vring/cli'
import type { Arguments } from '../arguments.ts'

/** One subcommand. */
export interface BenchCommand {
  /** One line for `--help`. */
  readonly description: string
  readonly args: OptionTable
  /**
   * @param rawArgs command name and arguments as they were given
   * @returns the exit code
   */
  run(args: Arguments, rawArgs: readonly string[]): Promise<number>
}
