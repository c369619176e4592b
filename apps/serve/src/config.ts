import { readFileSync } from 'node:fs'
import { MAX_GAP_MS, MAX_GAP_MS_MOST } from '@vring/backend-pcap'
import { nearestName, type Registry } from '@vring/registry'
import type { SocketRole } from '@vring/vhost-user'
import { QUEUE_PAIRS_MAX } from '@vring/vhost-user-net'
import { z } from 'zod'
import type { GivenArguments } from './arguments.ts'
import { type BackendSpec, FORMS, parseBackend } from './backend-spec.ts'
import { type CaptureSpec, parseCapture } from './capture-spec.ts'
import { loadRegistry } from './load-registry.ts'
import { startError, usageError } from './serve-error.ts'

/** What the daemon does, checked. */
export interface ServeConfig {
  readonly socket: string
  readonly role: SocketRole
  /** Name of the accessor plugin. */
  readonly accessor: string
  /** Packages, paths or `file:` URLs of accessors beside the built-in ones, as the working directory sees them. */
  readonly plugins: readonly string[]
  readonly backend: BackendSpec
  /** `xdp1`, the path of an object file, or null. */
  readonly xdp: string | null
  /** MTU of the TAP in bytes; null: as it is. */
  readonly mtu: number | null
  readonly replay: ReplayConfig
  readonly captures: readonly CaptureSpec[]
  readonly queuePairs: number
  readonly metrics: MetricsAddress | null
}

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

const text = z.string('accepted: text').min(1, 'accepted: text that is not empty')
const flag = z.boolean('accepted: true or false')
const integer = (least: number, most: number): z.ZodInt => {
  const accepted = `accepted: a whole number from ${least} to ${most}`
  return z.int(accepted).min(least, accepted).max(most, accepted)
}

/** The configuration file: the arguments by name. */
const settings = z.strictObject(
  {
    socket: text.optional(),
    client: flag.optional(),
    accessor: text.optional(),
    plugin: z.array(text, 'accepted: a list of texts').optional(),
    backend: text.optional(),
    xdp: text.optional(),
    mtu: integer(MTU_MIN, MTU_MAX).optional(),
    pace: z.enum(PACES, `accepted: ${PACES.join(', ')}`).optional(),
    loop: flag.optional(),
    'max-gap': z.number(GAP_ACCEPTED).min(0, GAP_ACCEPTED).max(GAP_SECONDS_MAX, GAP_ACCEPTED).optional(),
    capture: z.array(text, 'accepted: a list of texts').optional(),
    queues: integer(1, QUEUE_PAIRS_MAX).optional(),
    metrics: text.optional(),
  },
  'accepted: an object',
)

/** Settings by name, from a file, from arguments, or from both. */
export type Settings = z.infer<typeof settings>

/**
 * Puts arguments over the file that they may name, loads the plugins, and checks the whole.
 *
 * @throws ServeError with exit code 2 that names the argument, or the file and its field; 4 for a file that is missing
 */
export async function resolveConfig(given: GivenArguments): Promise<ServeConfig> {
  const all = { ...(given.config === undefined ? {} : readSettings(given.config)), ...fromArguments(given) }
  if (all.socket === undefined) throw usageError('--socket', 'missing: the path of the vhost-user socket')
  if (all.backend === undefined) throw usageError('--backend', `missing: ${Object.values(FORMS).join(', ')}`)
  const backend = parseBackend(all.backend)
  const { kind } = backend
  if (all.xdp !== undefined && kind !== 'drop' && kind !== 'tap')
    throw usageError('--xdp', `runs in front of drop and on a tap; the backend is ${kind}`)
  if (all.mtu !== undefined && kind !== 'tap') throw usageError('--mtu', `is that of a tap; the backend is ${kind}`)
  for (const name of ['pace', 'loop', 'max-gap'] as const)
    if (all[name] !== undefined && kind !== 'replay')
      throw usageError(`--${name}`, `is for replay:FILE; the backend is ${kind}`)
  const plugins = all.plugin ?? []
  return {
    socket: all.socket,
    role: all.client === true ? 'client' : 'server',
    accessor: accessorName(all.accessor, await loadRegistry(plugins)),
    plugins,
    backend,
    xdp: all.xdp ?? null,
    mtu: all.mtu ?? null,
    replay: {
      pace: all.pace ?? 'recorded',
      loop: all.loop ?? false,
      maxGapMs: 1000 * (all['max-gap'] ?? MAX_GAP_MS / 1000),
    },
    captures: (all.capture ?? []).map((one) => captureOf(one, all.queues ?? 1)),
    queuePairs: all.queues ?? 1,
    metrics: all.metrics === undefined ? null : parseMetricsAddress(all.metrics),
  }
}

/** Arguments as settings: numbers are read as the file's are checked. */
function fromArguments({
  config: _,
  queues,
  mtu,
  pace,
  plugin,
  capture,
  'max-gap': maxGap,
  ...rest
}: GivenArguments): Settings {
  return {
    ...rest,
    ...(plugin === undefined ? {} : { plugin: [...plugin] }),
    ...(capture === undefined ? {} : { capture: [...capture] }),
    ...(maxGap === undefined ? {} : { 'max-gap': readSeconds('--max-gap', maxGap) }),
    ...(queues === undefined ? {} : { queues: readInteger('--queues', queues, 1, QUEUE_PAIRS_MAX) }),
    ...(mtu === undefined ? {} : { mtu: readInteger('--mtu', mtu, MTU_MIN, MTU_MAX) }),
    ...(pace === undefined ? {} : { pace: readPace(pace) }),
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
  const result = settings.safeParse(value, { reportInput: true })
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  if (issue.code === 'unrecognized_keys') {
    const names = Object.keys(settings.shape)
    const key = issue.keys[0]!
    const near = nearestName(key, names)
    const hint = near === null ? '' : `; did you mean ${near}?`
    throw usageError('--config', `${path}: ${key}: unknown; accepted: ${names.join(', ')}${hint}`)
  }
  const field = issue.path.join('.') || 'the file'
  throw usageError('--config', `${path}: ${field}: ${JSON.stringify(issue.input)} is not accepted; ${issue.message}`)
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

function readInteger(argument: string, given: string, least: number, most: number): number {
  const value = Number(given)
  if (!/^\d+$/.test(given) || value < least || value > most)
    throw usageError(argument, `${JSON.stringify(given)} is not accepted; accepted: ${least} to ${most}`)
  return value
}

function readPace(given: string): ReplayPace {
  const pace = PACES.find((one) => one === given)
  if (pace !== undefined) return pace
  throw usageError('--pace', `${JSON.stringify(given)} is not accepted; accepted: ${PACES.join(', ')}`)
}

/** The accessor that was asked for, else the one that serves a driver's shared memory best. */
function accessorName(wanted: string | undefined, registry: Registry): string {
  try {
    return wanted === undefined ? registry.select().chosen : registry.accessor(wanted).name
  } catch (error) {
    throw startError('--accessor', error)
  }
}

/** Reads `HOST:PORT`, an IPv6 address in brackets. */
export function parseMetricsAddress(text: string): MetricsAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535)
    throw usageError('--metrics', `${JSON.stringify(text)} is no address; accepted: HOST:PORT, as in 127.0.0.1:9101`)
  return { host: match[1] ?? match[2]!, port }
}
