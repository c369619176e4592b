import { supportsOf } from '@vring/accessor'
import { MAX_GAP_MS } from '@vring/backend-pcap'
import { ServeError, usageError } from '../serve-error.ts'
import type { GivenArguments } from './arguments.ts'
import { BACKEND_FORMS, FORMS, OPTIONS_OF_BACKENDS, parseBackend } from './backend-spec.ts'
import { type CaptureSpec, captureFiles, checkCapture, parseCapture } from './capture-spec.ts'
import { chooseAccessor } from './choose-accessor.ts'
import { loadRegistry, pluginBackends } from './load-registry.ts'
import type { DaemonConfig, MetricsAddress, ServeConfig } from './serve-config.ts'
import { type DeviceSettings, fromArguments, parseDevice, readSettings } from './settings.ts'

/** Says for messages where a setting was given: nothing for an argument, file and line for one of a file. */
type Where = (setting: string) => string

/**
 * Puts arguments over the file that they may name, loads the plugins, and checks the whole.
 *
 * @param activated a listening socket that a service manager hands over, for a device that names none
 * @throws ServeError with exit code 2 that names the argument, or the file, its line and its field; 4 for a file that is missing
 */
export async function resolveConfig(given: GivenArguments, activated: number | null = null): Promise<DaemonConfig> {
  const file = given.config === undefined ? null : readSettings(given.config)
  const over = fromArguments(given)
  const where: Where = (name) =>
    file === null || name in over || !(name in file.settings) ? '' : `--config: ${file.place([name])}: `
  const {
    devices,
    metrics,
    control,
    user,
    'log-level': level,
    'log-format': format,
    ...one
  } = { ...file?.settings, ...over }
  const [single] = Object.keys(one)
  if (devices !== undefined && single !== undefined)
    throw usageError(`${where(single)}--${single}`, 'is that of a device; accepted: in the list of devices of --config')
  return {
    devices:
      devices === undefined
        ? [await resolveDevice(one, '', where, activated)]
        : await resolveDevices(devices, (index) => `--config: ${file!.place(['devices', index])}: `),
    metrics: metrics === undefined ? null : within(where, 'metrics', () => parseMetricsAddress(metrics)),
    control: control ?? null,
    log: { level: level ?? 'info', format: format ?? 'text' },
    user: user ?? null,
  }
}

async function resolveDevices(
  devices: readonly DeviceSettings[],
  where: (index: number) => string,
): Promise<ServeConfig[]> {
  if (devices.length === 0) throw usageError(`${where(0)}devices`, 'is empty; accepted: at least one')
  const seen = new Map<string, string>()
  for (const [index, { name, socket, 'socket-path': path = socket }] of devices.entries()) {
    for (const key of [`name ${name}`, ...(path === undefined ? [] : [`socket ${path}`])]) {
      const other = seen.get(key)
      if (other !== undefined) throw usageError(`${where(index)}device ${name}`, `has the ${key} of device ${other}`)
      seen.set(key, name)
    }
  }
  return Promise.all(devices.map((one, index) => resolveNamedDevice(one, where(index))))
}

/**
 * A device of several, from checked or unchecked settings.
 *
 * @param where for messages: file and line of its settings, `FILE:3:5: `
 * @throws ServeError naming the device
 */
export async function resolveNamedDevice(given: unknown, where = ''): Promise<ServeConfig> {
  const { name, ...rest } = parseDevice(given, `${where}device`)
  return resolveDevice(rest, name, () => `${where}device ${name}: `, null)
}

async function resolveDevice(
  all: Omit<DeviceSettings, 'name'>,
  name: string,
  where: Where,
  activated: number | null,
): Promise<ServeConfig> {
  const refuse = (argument: string, problem: string): Error => usageError(`${where(argument)}--${argument}`, problem)
  if (all.socket !== undefined && all['socket-path'] !== undefined)
    throw refuse('socket-path', 'is given beside --socket')
  const path = all['socket-path'] ?? all.socket
  if (path !== undefined && all.fd !== undefined)
    throw refuse('fd', 'is given beside a path; accepted: --fd or --socket')
  const fd = all.fd ?? (path === undefined ? activated : null)
  if (path === undefined && fd === null) throw refuse('socket', 'missing: the path of the vhost-user socket')
  if (fd !== null && all.client === true) throw refuse('client', 'connects to a path; accepted: without --fd')
  for (const option of ['socket-mode', 'socket-group'] as const)
    if (all[option] !== undefined && (fd !== null || all.client === true))
      throw refuse(option, 'is for a socket that this makes: with a path, without --client')
  if (all.backend === undefined) throw refuse('backend', `missing: ${BACKEND_FORMS.join(', ')}`)
  const plugins = all.plugin ?? []
  const registry = await loadRegistry(plugins)
  const backend = within(where, 'backend', () => parseBackend(all.backend!, pluginBackends(registry)))
  const { kind } = backend
  for (const [option, kinds] of Object.entries(OPTIONS_OF_BACKENDS))
    if (all[option as keyof typeof OPTIONS_OF_BACKENDS] !== undefined && !kinds.some((one) => one === kind))
      throw refuse(option, `is for ${kinds.map((one) => FORMS[one]).join(', ')}; the backend is ${kind}`)
  const accessor = within(where, 'accessor', () => chooseAccessor(all.accessor ?? null, registry))
  const { queues = 1, threads = 1 } = all
  if (threads > queues)
    throw refuse('threads', `is ${threads}; accepted: 1 to ${queues}, the queue pairs that --queues gives them`)
  if (threads > 1 && supportsOf(registry.accessor(accessor.name), accessor.options).iotlb)
    throw refuse('threads', `is ${threads}, and an IOTLB is one thread's; accepted: 1, or another --accessor`)
  const captures = (all.capture ?? []).flatMap((one) =>
    within(where, 'capture', () => capturesOf(one, queues, threads)),
  )
  const written =
    backend.kind === 'pcap'
      ? within(where, 'backend', () => captureFiles('--backend', backend.capture, queues, threads))
      : []
  const files = [...captures, ...written].map((one) => one.path)
  const twice = files.find((file, at) => files.indexOf(file) !== at)
  if (twice !== undefined) throw refuse('capture', `another capture goes to ${twice}; accepted: a file for each`)
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
        all['memory-max'] === undefined
          ? null
          : within(where, 'memory-max', () => parseBytes('--memory-max', all['memory-max']!)),
    },
  }
}

/** A refusal inside says where its setting was given. */
function within<T>(where: Where, setting: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    const place = where(setting)
    if (place === '' || !(error instanceof ServeError)) throw error
    throw new ServeError(error.exitCode, `${place}${error.message}`, error)
  }
}

function capturesOf(given: string, queuePairs: number, threads: number): CaptureSpec[] {
  const spec = parseCapture('--capture', given)
  checkCapture('--capture', spec, { queuePairs })
  return captureFiles('--capture', spec, queuePairs, threads)
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
