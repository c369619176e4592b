import { CommanderError } from 'commander'
import { Arguments } from './arguments.ts'
import { didYouMean, usageError } from './cli-error.ts'
import { commandOf } from './command.ts'
import { type OptionTable, optionName, VARIADIC } from './option-table.ts'

/**
 * Reads the arguments of a command strictly. Unknown options, missing values and stray words are refused by name, with
 * what is accepted and the nearest option.
 *
 * @param commands what a stray word may have been meant to be
 * @throws CliError with EXIT_USAGE
 */
export function readArguments(
  table: OptionTable,
  rawArgs: readonly string[],
  commands: readonly string[] = [],
): Arguments {
  const given = new Map<string, string[]>()
  const add = (name: string, value: string): void => void given.set(name, [...(given.get(name) ?? []), value])
  const options = Object.keys(table).filter((name) => table[name]!.type !== 'positional')
  // Positionals are checked here: commander counts them, and does not name one.
  const command = commandOf('', Object.fromEntries(options.map((name) => [name, table[name]!]))).helpOption(false)
  for (const name of options)
    command.on(`option:${name}`, (value?: string) => {
      if (table[name]!.type === 'string') checkValue(name, value ?? '', table, rawArgs)
      add(name, value ?? '')
    })
  try {
    command.parse(rawArgs, { from: 'user' })
  } catch (error) {
    throw error instanceof CommanderError ? refusal(error, table, options) : error
  }
  addPositionals(command.args, table, rawArgs[0]?.startsWith('-') === false ? commands : [], add)
  return new Arguments(given)
}

/** `--json --smoke` lacks a value; `--json=--odd` has one. */
function checkValue(name: string, value: string, table: OptionTable, rawArgs: readonly string[]): void {
  const isNext = rawArgs.some((arg, at) => arg === optionName(name) && rawArgs[at + 1] === value)
  if (value === '' || (isNext && value.startsWith('--'))) throw usageError(optionName(name), needsValue(table, name))
}

function needsValue(table: OptionTable, name: string): string {
  const hint = table[name]?.valueHint
  return hint === undefined ? 'needs a value' : `needs a value: ${hint}`
}

function refusal({ code, message }: CommanderError, table: OptionTable, options: readonly string[]): Error {
  const [, quoted = ''] = /'([^']*)'/.exec(message) ?? []
  const [flag = ''] = quoted.split(/[ =]/)
  const name = flag.replace(/^-+/, '')
  if (code === 'commander.optionMissingArgument') return usageError(flag, needsValue(table, name))
  if (code !== 'commander.unknownOption') return usageError(flag || 'arguments', message.replace(/^error: /, ''))
  if (table[name]?.type === 'boolean') return usageError(flag, 'is a switch and takes no value')
  const near = didYouMean(name, options).replace('mean ', 'mean --')
  return usageError(flag, `unknown option; accepted: ${accepted(options)}${near}`)
}

function addPositionals(
  words: readonly string[],
  table: OptionTable,
  commands: readonly string[],
  add: (name: string, value: string) => void,
): void {
  const positionals = Object.entries(table).filter(([, { type }]) => type === 'positional')
  const rest = positionals.findLast(([, { valueHint }]) => valueHint === VARIADIC)
  for (const [at, word] of words.entries()) {
    const target = positionals[at] ?? rest
    if (target === undefined) throw stray(word, at, table, commands)
    add(target[0], word)
  }
  for (const [name, { required, description }] of positionals.slice(words.length))
    if (required !== false) throw usageError(name.toUpperCase(), `missing: ${description}`)
}

/** A word that no positional takes: what begins the line is a mistyped command, others are options without their dashes. */
function stray(word: string, at: number, table: OptionTable, commands: readonly string[]): Error {
  const options = Object.keys(table).filter((name) => table[name]!.type !== 'positional')
  const near = didYouMean(word, [...commands, ...options.map(optionName)])
  const problem =
    at === 0 && commands.length > 0
      ? `is no command; accepted: ${commands.join(', ')}`
      : `unexpected; accepted: ${accepted(options)}`
  return usageError(JSON.stringify(word), `${problem}${near}`)
}

function accepted(options: readonly string[]): string {
  return options.length === 0 ? 'none' : options.map(optionName).join(', ')
}
