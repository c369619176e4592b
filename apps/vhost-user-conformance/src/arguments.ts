import { type OptionTable, readArguments as readOptions } from '@vring/cli'
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
  patience: {
    type: 'string',
    valueHint: 'MS',
    description: 'How long the back-end may take for one thing; default 2000',
  },
  list: { type: 'boolean', description: 'Print the cases with their clauses, and judge nothing' },
  quiet: { type: 'boolean', description: 'Print the cases that failed and the counts only' },
} as const satisfies OptionTable

/** What was asked for. */
export interface JudgeArguments {
  readonly socket: string | null
  readonly spawn: string | null
  readonly device: DeviceName | 'any'
  readonly only: readonly string[]
  readonly json: string | null
  readonly junit: string | null
  readonly patienceMs: number
  readonly list: boolean
  readonly quiet: boolean
}

/**
 * Reads arguments strictly: unknown options, missing values and stray words are refused by name, with the nearest option.
 *
 * @throws JudgeError with exit code 2
 */
export function readArguments(rawArgs: readonly string[]): JudgeArguments {
  const given = readOptions(OPTIONS, rawArgs)
  const spawn = given.text('spawn')
  if (given.text('socket') === null && !given.flag('list')) throw usageError('--socket', 'missing; accepted: a path')
  if (spawn !== null && !spawn.includes('{socket}'))
    throw usageError('--spawn', `${JSON.stringify(spawn)} does not name {socket}`)
  return {
    socket: given.text('socket'),
    spawn,
    device: deviceOf(given.text('device') ?? 'any'),
    only: given.all('only'),
    json: given.text('json'),
    junit: given.text('junit'),
    patienceMs: patienceOf(given.text('patience') ?? '2000'),
    list: given.flag('list'),
    quiet: given.flag('quiet'),
  }
}

function patienceOf(value: string): number {
  const ms = Number(value)
  if (!/^\d+$/.test(value) || ms < 10 || ms > 600_000)
    throw usageError(`--patience ${value}`, 'accepted: 10 to 600000 ms')
  return ms
}

const DEVICES = ['net', 'blk', 'any'] as const

function deviceOf(value: string): DeviceName | 'any' {
  const device = DEVICES.find((one) => one === value)
  if (device === undefined) throw usageError(`--device ${value}`, `accepted: ${DEVICES.join(', ')}`)
  return device
}
