import { readFileSync } from 'node:fs'
import { nearestName, type Registry } from '@vring/registry'
import type { SocketRole } from '@vring/vhost-user'
import { QUEUE_PAIRS_MAX } from '@vring/vhost-user-net'
import { z } from 'zod'
import type { GivenArguments } from './arguments.ts'
import { type BackendSpec, parseBackend } from './backend-spec.ts'
import { startError, usageError } from './serve-error.ts'

/** What the daemon does, checked. */
export interface ServeConfig {
  readonly socket: string
  readonly role: SocketRole
  /** Name of the accessor plugin. */
  readonly accessor: string
  readonly backend: BackendSpec
  /** `xdp1`, the path of an object file, or null. */
  readonly xdp: string | null
  readonly queuePairs: number
  readonly metrics: MetricsAddress | null
}

export interface MetricsAddress {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
}

/** The configuration file: the arguments by name. */
const settings = z.strictObject({
  socket: z.string().min(1).optional(),
  client: z.boolean().optional(),
  accessor: z.string().min(1).optional(),
  backend: z.string().min(1).optional(),
  xdp: z.string().min(1).optional(),
  queues: z.int().min(1).max(QUEUE_PAIRS_MAX).optional(),
  metrics: z.string().min(1).optional(),
})

/** Settings by name, from a file, from arguments, or from both. */
export type Settings = z.infer<typeof settings>

/**
 * Puts arguments over the file that they may name, and checks the whole.
 *
 * @throws ServeError with exit code 2 that names the argument, or the file and its field; 4 for a file that is missing
 */
export function resolveConfig(given: GivenArguments, registry: Registry): ServeConfig {
  const { config: file, queues, ...rest } = given
  const fromFile = file === undefined ? {} : readSettings(file)
  const all: Settings = { ...fromFile, ...rest, ...(queues === undefined ? {} : { queues: queueCount(queues) }) }
  if (all.socket === undefined) throw usageError('--socket', 'missing: the path of the vhost-user socket')
  if (all.backend === undefined)
    throw usageError('--backend', 'missing: tap:NAME, af-xdp:INTERFACE[:QUEUE], pcap:FILE, drop or loopback')
  const backend = parseBackend(all.backend)
  const queuePairs = all.queues ?? 1
  if (all.xdp !== undefined && backend.kind !== 'drop' && backend.kind !== 'tap')
    throw usageError('--xdp', `runs in front of drop and on a tap; the backend is ${backend.kind}`)
  return {
    socket: all.socket,
    role: all.client === true ? 'client' : 'server',
    accessor: accessorName(all.accessor, registry),
    backend,
    xdp: all.xdp ?? null,
    queuePairs,
    metrics: all.metrics === undefined ? null : parseMetricsAddress(all.metrics),
  }
}

/** Reads and checks a configuration file. */
function readSettings(path: string): Settings {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw startError('--config', error)
  }
  return parseSettings(text, path)
}

/**
 * Checks the text of a configuration file.
 *
 * @param path for messages
 * @throws ServeError with exit code 2: the first field that is wrong, and what is accepted
 */
export function parseSettings(text: string, path: string): Settings {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw usageError('--config', `${path} is no JSON: ${(error as Error).message}`)
  }
  const result = settings.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  if (issue.code === 'unrecognized_keys') {
    const names = Object.keys(settings.shape)
    const key = issue.keys[0]!
    const near = nearestName(key, names)
    const hint = near === null ? '' : `; did you mean ${near}?`
    throw usageError('--config', `${path}: ${key}: unknown; accepted: ${names.join(', ')}${hint}`)
  }
  throw usageError('--config', `${path}: ${issue.path.join('.') || 'the file'}: ${issue.message}`)
}

function queueCount(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < 1 || value > QUEUE_PAIRS_MAX)
    throw usageError('--queues', `${JSON.stringify(text)} is not accepted; accepted: 1 to ${QUEUE_PAIRS_MAX}`)
  return value
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
