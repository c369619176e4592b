import type { ArgsDef } from 'citty'
import type { Arguments } from '../arguments.ts'

/** One subcommand. */
export interface BenchCommand {
  /** One line for `--help`. */
  readonly description: string
  readonly args: ArgsDef
  /**
   * @param rawArgs command name and arguments as they were given
   * @returns the exit code
   */
  run(args: Arguments, rawArgs: readonly string[]): Promise<number>
}
