import { parseArgs } from 'node:util'
import { nearestName } from '@vring/registry'
import type { ArgsDef } from 'citty'
import type { DeviceName } from './device/profile.ts'
import { usageError } from './judge-error.ts'

/** Every option, as `--help` describes it. */
export const OPTIONS = {
  socket: { type: 'string', valueHint: 'PATH', description: 'Socket on which the back-end listens' },
  spawn: {
    type: 'string',
    valueHint: 'COMMAND',
    description: 'Shell command that starts the back-end, again where it ends; {socket} stands for the path',
  },
  device: {
    type: 'string',
    valueHint: 'net|blk|any',
    description: 'What it is. net and blk are given work; any (default) is asked questions only',
  },
  only: {
    type: 'string',
    valueHint: 'CLAUSE',
    description: 'Only cases whose clause, id or level contains this; any number of times',
  },
  json: { type: 'string', valueHint: 'FILE', description: 'Write the judgement as JSON; - for standard output' },
  junit: { type: 'string', valueHint: 'FILE', description: 'Write it as JUnit XML; - for standard output' },
  list: { type: 'boolean', description: 'Print the cases with their clauses, and judge nothing' },
  quiet: { type: 'boolean', description: 'Print the cases that failed and the counts only' },
} as const satisfies ArgsDef

type OptionName = keyof typeof OPTIONS

/** What was asked for. */
export interface JudgeArguments {
  readonly socket: string | null
  readonly spawn: string | null
  readonly device: DeviceName | 'any'
  readonly only: readonly string[]
  readonly json: string | null
  readonly junit: string | null
  readonly list: boolean
  readonly quiet: boolean
}

/**
 * Reads arguments strictly: unknown options, missing values and stray words are refused by name, with the nearest option.
 *
 * @throws JudgeError with exit code 2
 */
export function readArguments(rawArgs: readonly string[]): JudgeArguments {
  const names = Object.keys(OPTIONS) as OptionName[]
  const { tokens } = parseArgs({
    args: [...rawArgs],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(names.map((name) => [name, { type: OPTIONS[name].type }])),
  })
  const texts = new Map<OptionName, string>()
  const switches = new Set<OptionName>()
  const only: string[] = []
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional')
      throw usageError(JSON.stringify(token.value), `unexpected; accepted: ${accepted(names)}`)
    const name = names.find((one) => one === token.name)
    if (name === undefined) throw unknownOption(token.rawName, names)
    if (OPTIONS[name].type === 'boolean') {
      if (token.value !== undefined) throw usageError(token.rawName, 'is a switch and takes no value')
      switches.add(name)
      continue
    }
    const { value } = token
    if (value === undefined || value === '' || (!token.inlineValue && value.startsWith('--')))
      throw usageError(token.rawName, `needs a value: ${hint(name)}`)
    if (name === 'only') only.push(value)
    else if (texts.has(name)) throw usageError(token.rawName, 'given twice; accepted: once')
    else texts.set(name, value)
  }
  const text = (name: OptionName): string | null => texts.get(name) ?? null
  const spawn = text('spawn')
  if (text('socket') === null && !switches.has('list')) throw usageError('--socket', 'missing; accepted: a path')
  if (spawn !== null && !spawn.includes('{socket}'))
    throw usageError('--spawn', `${JSON.stringify(spawn)} does not name {socket}`)
  return {
    socket: text('socket'),
    spawn,
    device: deviceOf(text('device') ?? 'any'),
    only,
    json: text('json'),
    junit: text('junit'),
    list: switches.has('list'),
    quiet: switches.has('quiet'),
  }
}

const DEVICES = ['net', 'blk', 'any'] as const

function deviceOf(value: string): DeviceName | 'any' {
  const device = DEVICES.find((one) => one === value)
  if (device === undefined) throw usageError(`--device ${value}`, `accepted: ${DEVICES.join(', ')}`)
  return device
}

function hint(name: OptionName): string {
  const option = OPTIONS[name]
  return 'valueHint' in option ? option.valueHint : name
}

function accepted(names: readonly string[]): string {
  return names.map((name) => `--${name}`).join(', ')
}

function unknownOption(rawName: string, names: readonly string[]): Error {
  const near = nearestName(rawName.replace(/^-+/, ''), names)
  return usageError(
    rawName,
    `unknown option; accepted: ${accepted(names)}${near === null ? '' : `; did you mean --${near}?`}`,
  )
}
