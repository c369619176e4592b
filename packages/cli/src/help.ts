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

/** `--help`: the description, every option and every command, without colours. Columns of text at most. */
export function helpText({ name, description, options, commands = {}, after }: Described, columns = 100): string {
  const command = commandOf(name, options).description(description).helpOption('-h, --help', 'this text')
  for (const [sub, text] of Object.entries(commands)) command.addCommand(new Command(sub).description(text))
  command.helpCommand(false).configureOutput({ getOutHelpWidth: () => columns, writeOut: () => {} })
  const text = command.helpInformation()
  return after === undefined ? text : `${text}\n${after}\n`
}
