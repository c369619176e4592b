import { Command } from 'commander'
import { commandOf } from './command.ts'
import type { OptionTable } from './option-table.ts'

/** A program or a command, for its help. */
export interface Described {
  readonly name: string
  readonly description: string
  readonly options: OptionTable
  /** Commands by name, each with one line. */
  readonly commands?: Readonly<Record<string, string>>
  /** What stands after the options. */
  readonly after?: string
}

/** Where the text goes to no terminal; columns. */
const COLUMNS = 80
/** Options leave no room for words in fewer; longer lines are hard to read. */
const COLUMNS_MIN = 60
const COLUMNS_MAX = 110

/**
 * `--help`: the description, every option and every command, without colours.
 *
 * @param columns of the terminal; default those of standard output, or 80
 */
export function helpText(
  { name, description, options, commands = {}, after }: Described,
  columns: number = process.stdout.columns || COLUMNS,
): string {
  const width = Math.max(COLUMNS_MIN, Math.min(columns, COLUMNS_MAX))
  const command = commandOf(name, options).description(description).helpOption('-h, --help', 'this text')
  for (const [sub, text] of Object.entries(commands)) command.addCommand(new Command(sub).description(text))
  command
    .helpCommand(false)
    .configureHelp({ minWidthToWrap: 20 })
    .configureOutput({ getOutHelpWidth: () => width, writeOut: () => {} })
  const text = command.helpInformation()
  return after === undefined ? text : `${text}\n${command.createHelp().boxWrap(after, width)}\n`
}
