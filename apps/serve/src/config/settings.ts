import { closeSync, openSync, readSync } from 'node:fs'
import { MAX_GAP_MS_MOST } from '@vring/backend-pcap'
import { didYouMean } from '@vring/cli'
import { QUEUE_PAIRS_MAX } from '@vring/vhost-user-net'
import * as z from 'zod'
import { EXIT_USAGE } from '../exit-codes.ts'
import { LOG_FORMATS, LOG_LEVELS, type LogConfig } from '../log/log.ts'
import { attempt, ServeError, usageError } from '../serve-error.ts'
import type { GivenArguments } from './arguments.ts'
import { LocatedJson } from './located-json.ts'
import { MEMORY_FILES, type MemoryFiles, PACES, type ReplayPace } from './serve-config.ts'

/** As the kernel bounds the MTU of a TAP: ETH_MIN_MTU, and 65535 less an Ethernet header. */
const MTU_MIN = 68
const MTU_MAX = 65_521

/** As TimerFd and people bound it: a day. */
const GAP_SECONDS_MAX = MAX_GAP_MS_MOST / 1000
const GAP_ACCEPTED = `accepted: seconds, 0 to ${GAP_SECONDS_MAX}`

const MODE = 'accepted: octal permissions as text, "0660"'

/** What a device is told, by the names of the arguments; the README says what each does. */
interface DeviceArguments {
  socket?: string | undefined
  'socket-path'?: string | undefined
  /** A descriptor that is open already. */
  fd?: number | undefined
  /** Octal permissions, as `0660`. */
  'socket-mode'?: string | undefined
  'socket-group'?: string | undefined
  client?: boolean | undefined
  accessor?: string | undefined
  plugin?: string[] | undefined
  backend?: string | undefined
  xdp?: string | undefined
  'fix-offloads'?: boolean | undefined
  /** Bytes, 68 to 65521. */
  mtu?: number | undefined
  pace?: ReplayPace | undefined
  loop?: boolean | undefined
  /** Seconds. */
  'max-gap'?: number | undefined
  capture?: string[] | undefined
  /** Queue pairs. */
  queues?: number | undefined
  announce?: boolean | undefined
  threads?: number | undefined
  memory?: MemoryFiles | undefined
  'require-sealed'?: boolean | undefined
  /** Bytes, or with a unit: `512M`. */
  'memory-max'?: string | undefined
}

/** Settings of one device of several. */
export interface DeviceSettings extends DeviceArguments {
  /** 1 to 64 letters, digits, `_`, `.` and `-`. */
  name: string
}

/** Settings by name, from a file, from arguments, or from both. */
export interface Settings extends DeviceArguments {
  devices?: DeviceSettings[] | undefined
  metrics?: string | undefined
  control?: string | undefined
  user?: string | undefined
  'log-level'?: LogConfig['level'] | undefined
  'log-format'?: LogConfig['format'] | undefined
}

const text = z.string('accepted: text').min(1, 'accepted: text that is not empty')
const flag = z.boolean('accepted: true or false')
const integer = (least: number, most: number): z.ZodInt => {
  const accepted = `accepted: an integer from ${least} to ${most}`
  return z.int(accepted).min(least, accepted).max(most, accepted)
}

/** Settings of a device, by the names of the arguments. */
const DEVICE_SETTINGS = {
  socket: text.optional(),
  'socket-path': text.optional(),
  fd: integer(0, 2 ** 31 - 1).optional(),
  'socket-mode': z
    .string(MODE)
    .regex(/^0?[0-7]{3}$/, MODE)
    .optional(),
  'socket-group': text.optional(),
  client: flag.optional(),
  accessor: text.optional(),
  plugin: z.array(text, 'accepted: a list of texts').optional(),
  backend: text.optional(),
  xdp: text.optional(),
  'fix-offloads': flag.optional(),
  mtu: integer(MTU_MIN, MTU_MAX).optional(),
  pace: z.enum(PACES, `accepted: ${PACES.join(', ')}`).optional(),
  loop: flag.optional(),
  'max-gap': z.number(GAP_ACCEPTED).min(0, GAP_ACCEPTED).max(GAP_SECONDS_MAX, GAP_ACCEPTED).optional(),
  capture: z.array(text, 'accepted: a list of texts').optional(),
  queues: integer(1, QUEUE_PAIRS_MAX).optional(),
  announce: flag.optional(),
  threads: integer(1, QUEUE_PAIRS_MAX).optional(),
  memory: z.enum(MEMORY_FILES, `accepted: ${MEMORY_FILES.join(', ')}`).optional(),
  'require-sealed': flag.optional(),
  'memory-max': text.optional(),
}
const NAME = 'accepted: 1 to 64 letters, digits, _, . and -'
const device = z.strictObject(
  { name: z.string(NAME).regex(/^[\w.-]{1,64}$/, NAME), ...DEVICE_SETTINGS },
  'accepted: an object',
) satisfies z.ZodType<DeviceSettings, DeviceSettings>

/** The configuration file: the arguments by name, and devices in place of one. */
const settings = z.strictObject(
  {
    ...DEVICE_SETTINGS,
    devices: z.array(device, 'accepted: a list of devices').optional(),
    metrics: text.optional(),
    control: text.optional(),
    user: text.optional(),
    'log-level': z.enum(LOG_LEVELS, `accepted: ${LOG_LEVELS.join(', ')}`).optional(),
    'log-format': z.enum(LOG_FORMATS, `accepted: ${LOG_FORMATS.join(', ')}`).optional(),
  },
  'accepted: an object',
) satisfies z.ZodType<Settings, Settings>

/** Arguments that are numbers. */
const NUMBERS = ['fd', 'queues', 'threads', 'mtu', 'max-gap'] as const

/**
 * Arguments as settings, checked as a file's are.
 *
 * @throws ServeError with exit code 2 that names the first argument that is wrong
 */
export function fromArguments(given: GivenArguments): Settings {
  const { config: _, 'print-capabilities': __, ...texts } = given
  const numbers = NUMBERS.flatMap((name) => {
    const text = texts[name]
    // What is no number in digits stays text, and is refused as that.
    return text === undefined ? [] : [[name, /^\d+(\.\d+)?$/.test(text) ? Number(text) : text]]
  })
  const value = { ...texts, ...Object.fromEntries(numbers) }
  return check(settings, value, (names, problem) => {
    throw usageError(`--${nameOf(names)}`, problem)
  })
}

/** Bytes of a configuration file at most: `/dev/zero` is none. */
const FILE_BYTES_MAX = 2 ** 20

/** Settings of a file, and where each stands in it. */
export interface SettingsFile {
  readonly settings: Settings
  /** `FILE:LINE:COLUMN` of a setting, or of the innermost around it. */
  place(names: readonly PropertyKey[]): string
}

/** Reads and checks a configuration file, or a pipe. */
export function readSettings(path: string): SettingsFile {
  const content = attempt(`--config ${path}`, () => readBounded(path))
  return parseSettings(content, path)
}

function readBounded(path: string): string {
  const bytes = Buffer.alloc(FILE_BYTES_MAX + 1)
  const fd = openSync(path, 'r')
  try {
    let length = 0
    for (let got = 1; got > 0 && length < bytes.length; length += got)
      got = readSync(fd, bytes, length, bytes.length - length, null)
    if (length > FILE_BYTES_MAX) throw usageError('--config', `${path} is too large; accepted: ${FILE_BYTES_MAX} bytes`)
    return bytes.toString('utf8', 0, length)
  } finally {
    closeSync(fd)
  }
}

/**
 * Checks the text of a configuration file.
 *
 * @param path for messages
 * @throws ServeError with exit code 2: line, column and name of the first field that is wrong, its value, and what is accepted
 */
export function parseSettings(content: string, path: string): SettingsFile {
  const json = new LocatedJson(content, path)
  const checked = check(settings, json.value, (names, problem) => {
    throw new ServeError(EXIT_USAGE, `--config: ${json.place(names)}: ${nameOf(names)}: ${problem}`)
  })
  return { settings: checked, place: (names) => json.place(names) }
}

/**
 * One device of several, checked.
 *
 * @param where for messages: whose settings they are
 */
export function parseDevice(given: unknown, where: string): DeviceSettings {
  return check(device, given, (names, problem) => {
    throw new ServeError(EXIT_USAGE, `${where}: ${names.length === 0 ? '' : `${nameOf(names)}: `}${problem}`)
  })
}

/** `devices[1].name`. */
function nameOf(names: readonly PropertyKey[]): string {
  const parts = names.map((name, at) =>
    typeof name === 'number' ? `[${name}]` : `${at === 0 ? '' : '.'}${String(name)}`,
  )
  return parts.join('') || 'the settings'
}

/** Refuses a field, by its path. */
type Refuse = (names: readonly PropertyKey[], problem: string) => never

function check<Schema extends z.ZodObject>(schema: Schema, value: unknown, refuse: Refuse): z.output<Schema> {
  const result = schema.safeParse(value, { reportInput: true })
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  const { path } = issue
  if (issue.code === 'unrecognized_keys') {
    const names = Object.keys(path.length === 0 ? schema.shape : device.shape)
    const key = issue.keys[0]!
    return refuse(
      [...path, key],
      `${strange(key, path.length > 0 || !('devices' in schema.shape))}; accepted: ${names.join(', ')}${didYouMean(key, names)}`,
    )
  }
  if (issue.input === undefined) return refuse(path, `is missing; ${issue.message}`)
  const given = JSON.stringify(issue.input)
  if (issue.code === 'invalid_value' && typeof issue.input === 'string')
    return refuse(path, `${given} is unknown; ${issue.message}${didYouMean(issue.input, issue.values.map(String))}`)
  return refuse(path, `${given} is not accepted; ${issue.message}`)
}

/** Some names are accepted elsewhere. */
function strange(key: string, inDevice: boolean): string {
  if (inDevice && key in settings.shape) return 'is that of the daemon, beside its devices'
  if (!inDevice && key === 'name') return 'is that of a device in a list of devices'
  return 'unknown'
}
