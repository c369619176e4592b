import { Argument, Command, Option } from 'commander'
import { type OptionTable, VARIADIC } from './option-table.ts'

/** A commander command of these options that neither prints nor ends the process. */
export function commandOf(name: string, table: OptionTable): Command {
  const command = new Command(name)
    .exitOverride()
    .configureOutput({ writeOut: () => {}, writeErr: () => {} })
    .showSuggestionAfterError(false)
    .allowExcessArguments()
  for (const [option, { type, valueHint = 'VALUE', description, required }] of Object.entries(table)) {
    if (type === 'positional') {
      const form = valueHint === VARIADIC ? `${option}...` : option
      command.addArgument(new Argument(required === false ? `[${form}]` : `<${form}>`, description))
    } else command.addOption(new Option(type === 'boolean' ? `--${option}` : `--${option} <${valueHint}>`, description))
  }
  return command
}
