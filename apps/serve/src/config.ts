import { readFileSync } from 'node:fs'
import { MAX_GAP_MS, MAX_GAP_MS_MOST } from '@vring/backend-pcap'
import { didYouMean, integerIn, oneOf } from '@vring/cli'
import { type AccessorSpec, createRegistry } from '@vring/registry'
import type { SocketRole } from '@vring/vhost-user'
import { QUEUE_PAIRS_MAX } from '@vring/vhost-user-net'
import { z } from 'zod'
import type { GivenArguments } from './arguments.ts'
import { type BackendSpec, FORMS, parseBackend } from './backend-spec.ts'
import { type CaptureSpec, parseCapture } from './capture-spec.ts'
import { chooseAccessor } from './choose-accessor.ts'
import { EXIT_USAGE } from './exit-codes.ts'
import { loadRegistry } from './load-registry.ts'
import { LOG_FORMATS, LOG_LEVELS, type LogConfig } from './log.ts'
import { ServeError, startError, usageError } from './serve-error.ts'

/** What a device of the daemon does, checked. */
export interface ServeConfig {
  /** By which metrics and commands know it; empty: the only one, from arguments. */
  readonly name: string
  /** Path of its vhost-user socket; with {@link fd} that is for people. */
  readonly socket: string
  /** A socket that is open already, or null. */
  readonly fd: number | null
  readonly role: SocketRole
  readonly socketMode: number | null
  readonly socketGroup: string | null
  readonly accessor: AccessorSpec
  /** Packages, paths or `file:` URLs of accessors beside the built-in ones, as the working directory sees them. */
  readonly plugins: readonly string[]
  readonly backend: BackendSpec
  /** `xdp1`, an object file with or without `:PROGRAM`, or null. */
  readonly xdp: string | null
  /** Switch off what hides something from af-xdp. */
  readonly fixOffloads: boolean
  /** MTU of the TAP in bytes; null: as it is. */
  readonly mtu: number | null
  readonly replay: ReplayConfig
  readonly captures: readonly CaptureSpec[]
  readonly queuePairs: number
  /** Offer VIRTIO_NET_F_GUEST_ANNOUNCE, and VIRTIO_NET_F_CTRL_VQ with it. */
  readonly announce: boolean
  /** Threads that its queue pairs are shared out over. */
  readonly threads: number
  readonly memory: MemoryConfig
}

/** What the daemon does, checked. */
export interface DaemonConfig {
  readonly devices: readonly ServeConfig[]
  readonly metrics: MetricsAddress | null
  /** Path of the socket that takes commands, or null. */
  readonly control: string | null
  readonly log: LogConfig
  /** User to go on as once everything is open, or null. */
  readonly user: string | null
}

/** What a driver may share as its memory. */
export interface MemoryConfig {
  readonly files: MemoryFiles
  /** Only files that can't be shortened (F_SEAL_SHRINK). */
  readonly requireSealed: boolean
  /** Bytes of all regions together; null: what this host has. */
  readonly bytesMax: number | null
}

/** What a driver may share unless told otherwise. */
export const DEFAULT_MEMORY: MemoryConfig = { files: 'memory', requireSealed: false, bytesMax: null }

/** `memory`: in memfd, tmpfs and hugetlbfs; `any`: on a local disk too. */
export type MemoryFiles = (typeof MEMORY_FILES)[number]
const MEMORY_FILES = ['memory', 'any'] as const

/** How a capture is replayed. */
export interface ReplayConfig {
  readonly pace: ReplayPace
  /** Begin again at its end. */
  readonly loop: boolean
  /** The longest gap, ms. */
  readonly maxGapMs: number
}

/** `recorded`: with the gaps of the capture; `asap`: as fast as the driver takes frames. */
export type ReplayPace = (typeof PACES)[number]
const PACES = ['recorded', 'asap'] as const

export interface MetricsAddress {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
}

/** As the kernel bounds the MTU of a TAP: ETH_MIN_MTU, and 65535 less an Ethernet header. */
const MTU_MIN = 68
const MTU_MAX = 65_521

/** As TimerFd and people bound it: a day. */
const GAP_SECONDS_MAX = MAX_GAP_MS_MOST / 1000
const GAP_ACCEPTED = `accepted: seconds, 0 to ${GAP_SECONDS_MAX}`

/** Backends whose pairs have nothing in common that one thread would have to keep. */
const THREADED: readonly BackendSpec['kind'][] = ['drop', 'loopback', 'tap', 'plugin']

const text = z.string('accepted: text').min(1, 'accepted: text that is not empty')
const flag = z.boolean('accepted: true or false')
const integer = (least: number, most: number): z.ZodInt => {
  const accepted = `accepted: a whole number from ${least} to ${most}`
  return z.int(accepted).min(least, accepted).max(most, accepted)
}

/** Settings of a device, by the names of the arguments. */
const DEVICE_SETTINGS = {
  socket: text.optional(),
  'socket-path': text.optional(),
  fd: integer(0, 2 ** 31 - 1).optional(),
  'socket-mode': z
    .string()
    .regex(/^0?[0-7]{3}$/, 'accepted: octal permissions, as 0660')
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
const device = z.strictObject(
  { name: z.string().regex(/^[\w.-]{1,64}$/, 'accepted: 1 to 64 letters, digits, _, . and -'), ...DEVICE_SETTINGS },
  'accepted: an object',
)

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
)

/** Settings by name, from a file, from arguments, or from both. */
export type Settings = z.infer<typeof settings>
/** Settings of one device of several. */
export type DeviceSettings = z.infer<typeof device>

/**
 * Puts arguments over the file that they may name, loads the plugins, and checks the whole.
 *
 * @param activated a listening socket that a service manager hands over, for a device that names none
 * @throws ServeError with exit code 2 that names the argument, or the file and its field; 4 for a file that is missing
 */
export async function resolveConfig(given: GivenArguments, activated: number | null = null): Promise<DaemonConfig> {
  const file = given.config === undefined ? {} : readSettings(given.config)
  const over = fromArguments(given)
  const { devices, metrics, control, user, 'log-level': level, 'log-format': format, ...one } = { ...file, ...over }
  const single = Object.keys(one) as (keyof typeof one)[]
  if (devices !== undefined && single.length > 0)
    throw usageError(`--${single[0]}`, 'is that of a device; accepted: in the list of devices of --config')
  return {
    devices:
      devices === undefined
        ? [await resolveDevice(one, '', '', activated)]
        : await resolveDevices(devices, `--config ${given.config}: `),
    metrics: metrics === undefined ? null : parseMetricsAddress(metrics),
    control: control ?? null,
    log: { level: level ?? 'info', format: format ?? 'text' },
    user: user ?? null,
  }
}

async function resolveDevices(devices: readonly DeviceSettings[], where: string): Promise<ServeConfig[]> {
  if (devices.length === 0) throw usageError(`${where}devices`, 'is empty; accepted: at least one')
  const seen = new Map<string, string>()
  for (const { name, socket, 'socket-path': path = socket } of devices) {
    for (const key of [`name ${name}`, ...(path === undefined ? [] : [`socket ${path}`])]) {
      const other = seen.get(key)
      if (other !== undefined) throw usageError(`${where}device ${name}`, `has the ${key} of device ${other}`)
      seen.set(key, name)
    }
  }
  return Promise.all(devices.map((one) => resolveNamedDevice(one, where)))
}

/**
 * A device of several, from checked or unchecked settings.
 *
 * @throws ServeError naming the device
 */
export async function resolveNamedDevice(given: unknown, where = ''): Promise<ServeConfig> {
  const { name, ...rest } = check(device, given, `${where}device`)
  return resolveDevice(rest, name, `${where}device ${name}: `, null)
}

async function resolveDevice(
  all: Omit<DeviceSettings, 'name'>,
  name: string,
  where: string,
  activated: number | null,
): Promise<ServeConfig> {
  const refuse = (argument: string, problem: string): Error => usageError(`${where}--${argument}`, problem)
  if (all.socket !== undefined && all['socket-path'] !== undefined)
    throw refuse('socket-path', 'is given beside --socket')
  const path = all['socket-path'] ?? all.socket
  if (path !== undefined && all.fd !== undefined) throw refuse('fd', 'is given beside a path')
  const fd = all.fd ?? (path === undefined ? activated : null)
  if (path === undefined && fd === null) throw refuse('socket', 'missing: the path of the vhost-user socket')
  if (fd !== null && all.client === true) throw refuse('client', 'connects to a path; accepted: without --fd')
  for (const option of ['socket-mode', 'socket-group'] as const)
    if (all[option] !== undefined && (fd !== null || all.client === true))
      throw refuse(option, 'is for a socket that this makes: with a path, without --client')
  if (all.backend === undefined) throw refuse('backend', `missing: ${Object.values(FORMS).join(', ')}`)
  const plugins = all.plugin ?? []
  const registry = await loadRegistry(plugins)
  const builtIn = new Set(createRegistry().backends.map((one) => one.name))
  const own = registry.backends.map((one) => one.name).filter((one) => !builtIn.has(one))
  const backend = within(where, () => parseBackend(all.backend!, own))
  const { kind } = backend
  if (all.xdp !== undefined && kind !== 'drop' && kind !== 'tap')
    throw refuse('xdp', `runs before drop and on a tap; the backend is ${kind}`)
  if (all.mtu !== undefined && kind !== 'tap') throw refuse('mtu', `is that of a tap; the backend is ${kind}`)
  if (all['fix-offloads'] !== undefined && kind !== 'af-xdp')
    throw refuse('fix-offloads', `is for af-xdp; the backend is ${kind}`)
  for (const option of ['pace', 'loop', 'max-gap'] as const)
    if (all[option] !== undefined && kind !== 'replay')
      throw refuse(option, `is for replay:FILE; the backend is ${kind}`)
  const accessor = within(where, () => chooseAccessor(all.accessor ?? null, registry))
  const { queues = 1, threads = 1 } = all
  if (threads > queues)
    throw refuse('threads', `is ${threads}; accepted: 1 to ${queues}, the queue pairs that --queues gives them`)
  if (threads > 1 && !THREADED.includes(kind))
    throw refuse('threads', `is ${threads}, and ${kind} is one thread's; accepted: 1, or ${THREADED.join(', ')}`)
  if (threads > 1 && registry.accessor(accessor.name).supports.iotlb)
    throw refuse('threads', `is ${threads}, and an IOTLB is one thread's; accepted: 1, or another --accessor`)
  const captures = (all.capture ?? []).map((one) => within(where, () => captureOf(one, queues)))
  if (threads > 1 && captures.some(({ pair }) => pair === null))
    throw refuse('capture', `is of all pairs, which ${threads} threads serve; accepted: pair=N, or --threads 1`)
  const mode = all['socket-mode']
  return {
    name,
    socket: path ?? `descriptor ${fd}`,
    fd,
    role: all.client === true ? 'client' : 'server',
    socketMode: mode === undefined ? null : Number.parseInt(mode, 8),
    socketGroup: all['socket-group'] ?? null,
    accessor,
    plugins,
    backend,
    xdp: all.xdp ?? null,
    fixOffloads: all['fix-offloads'] ?? false,
    mtu: all.mtu ?? null,
    replay: {
      ...{ pace: all.pace ?? 'recorded', loop: all.loop ?? false },
      maxGapMs: 1000 * (all['max-gap'] ?? MAX_GAP_MS / 1000),
    },
    captures,
    queuePairs: queues,
    announce: all.announce ?? false,
    threads,
    memory: {
      files: all.memory ?? 'memory',
      requireSealed: all['require-sealed'] ?? false,
      bytesMax:
        all['memory-max'] === undefined ? null : within(where, () => parseBytes('--memory-max', all['memory-max']!)),
    },
  }
}

/** A refusal inside says which device it is of. */
function within<T>(where: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (where === '' || !(error instanceof ServeError)) throw error
    throw new ServeError(error.exitCode, `${where}${error.message}`, error)
  }
}

/** Arguments as settings: numbers are read as the file's are checked. */
function fromArguments(given: GivenArguments): Settings {
  const {
    config: _,
    'print-capabilities': __,
    'max-gap': maxGap,
    'log-level': level,
    'log-format': format,
    ...some
  } = given
  const { queues, threads, mtu, fd, pace, plugin, capture, memory, ...rest } = some
  const mode = rest['socket-mode']
  if (mode !== undefined && !/^0?[0-7]{3}$/.test(mode))
    throw usageError('--socket-mode', `${JSON.stringify(mode)} is not accepted; accepted: octal permissions, as 0660`)
  return {
    ...rest,
    ...(plugin === undefined ? {} : { plugin: [...plugin] }),
    ...(capture === undefined ? {} : { capture: [...capture] }),
    ...(maxGap === undefined ? {} : { 'max-gap': readSeconds('--max-gap', maxGap) }),
    ...(fd === undefined ? {} : { fd: integerIn('--fd', fd, 0, 2 ** 31 - 1) }),
    ...(queues === undefined ? {} : { queues: integerIn('--queues', queues, 1, QUEUE_PAIRS_MAX) }),
    ...(threads === undefined ? {} : { threads: integerIn('--threads', threads, 1, QUEUE_PAIRS_MAX) }),
    ...(mtu === undefined ? {} : { mtu: integerIn('--mtu', mtu, MTU_MIN, MTU_MAX) }),
    ...(pace === undefined ? {} : { pace: oneOf('--pace', pace, PACES) }),
    ...(memory === undefined ? {} : { memory: oneOf('--memory', memory, MEMORY_FILES) }),
    ...(level === undefined ? {} : { 'log-level': oneOf('--log-level', level, LOG_LEVELS) }),
    ...(format === undefined ? {} : { 'log-format': oneOf('--log-format', format, LOG_FORMATS) }),
  }
}

/** Reads and checks a configuration file. */
function readSettings(path: string): Settings {
  let content: string
  try {
    content = readFileSync(path, 'utf8')
  } catch (error) {
    throw startError('--config', error)
  }
  return parseSettings(content, path)
}

/**
 * Checks the text of a configuration file.
 *
 * @param path for messages
 * @throws ServeError with exit code 2: the first field that is wrong, its value, and what is accepted
 */
export function parseSettings(content: string, path: string): Settings {
  let value: unknown
  try {
    value = JSON.parse(content)
  } catch (error) {
    throw usageError('--config', `${path} is no JSON: ${(error as Error).message}`)
  }
  return check(settings, value, `--config: ${path}`)
}

/** @param where for messages: whose settings they are */
function check<Schema extends z.ZodObject>(schema: Schema, value: unknown, where: string): z.output<Schema> {
  const result = schema.safeParse(value, { reportInput: true })
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  const place = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    const names = Object.keys(place.length === 0 ? schema.shape : device.shape)
    const key = issue.keys[0]!
    const field = [...place, key].join('.')
    throw new ServeError(
      EXIT_USAGE,
      `${where}: ${field}: unknown; accepted: ${names.join(', ')}${didYouMean(key, names)}`,
    )
  }
  const field = place.join('.') || 'the file'
  throw new ServeError(
    EXIT_USAGE,
    `${where}: ${field}: ${JSON.stringify(issue.input)} is not accepted; ${issue.message}`,
  )
}

function readSeconds(argument: string, given: string): number {
  const value = Number(given)
  if (!/^\d+(\.\d+)?$/.test(given) || value > GAP_SECONDS_MAX)
    throw usageError(argument, `${JSON.stringify(given)} is not accepted; ${GAP_ACCEPTED}`)
  return value
}

function captureOf(given: string, queuePairs: number): CaptureSpec {
  const spec = parseCapture('--capture', given)
  if (spec.pair !== null && spec.pair >= queuePairs)
    throw usageError('--capture', `pair=${spec.pair} is not served; accepted: 0 to ${queuePairs - 1}`)
  return spec
}

/** Reads a number of bytes, `65536`, `512M`, `64G`: K, M, G and T are powers of 1024. */
export function parseBytes(argument: string, given: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,15})([KMGT]?)$/i.exec(given) ?? []
  const bytes = Number(digits) * 1024 ** ' KMGT'.indexOf(unit.toUpperCase() || ' ')
  if (digits === '' || bytes < 4096 || !Number.isSafeInteger(bytes))
    throw usageError(argument, `${JSON.stringify(given)} is not accepted; accepted: bytes from 4096, as in 512M or 64G`)
  return bytes
}

/** Reads `HOST:PORT`, an IPv6 address in brackets. */
export function parseMetricsAddress(text: string): MetricsAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535)
    throw usageError('--metrics', `${JSON.stringify(text)} is no address; accepted: HOST:PORT, as in 127.0.0.1:9101`)
  return { host: match[1] ?? match[2]!, port }
}
