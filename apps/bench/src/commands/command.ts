import type { OptionTable } from '@vring/cli'
import type { Arguments } from '../arguments.ts'

/** One subcommand. */
export interface BenchCommand {
  /** One line for `--help`. */
  readonly description: string
  readonly args: OptionTable
  /** Does it run code of plugins in its own thread? Then it is ended when it is late by `--patience-ms`. */
  readonly runsPlugins?: true
  /**
   * @param rawArgs command name and arguments as they were given
   * @returns the exit code
   */
  run(args: Arguments, rawArgs: readonly string[]): Promise<number>
}
