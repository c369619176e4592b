import { type OptionTable, readArguments as readOptions } from '@vring/cli'
import { BACKEND_FORMS } from './backend-spec.ts'
import { CAPTURE_FORM, CAPTURE_OPTIONS } from './capture-spec.ts'

/** Every option, as `--help` describes it. */
export const OPTIONS = {
  socket: { type: 'string', valueHint: 'PATH', description: 'vhost-user socket; --socket-path is the same' },
  'socket-path': { type: 'string', valueHint: 'PATH', description: 'As vhost-user front-ends name --socket' },
  fd: {
    type: 'string',
    valueHint: 'FDNUM',
    description: 'vhost-user socket that is open already, listening or connected, in place of a path',
  },
  'socket-mode': {
    type: 'string',
    valueHint: 'MODE',
    description: 'Permissions of the socket, octal; default by the umask',
  },
  'socket-group': { type: 'string', valueHint: 'GROUP', description: 'Group of the socket: a name or a number' },
  user: {
    type: 'string',
    valueHint: 'USER',
    description: 'User, by name or number, to go on as once everything is open',
  },
  'print-capabilities': { type: 'boolean', description: 'Print what this back-end is, as JSON, and end' },
  client: { type: 'boolean', description: 'Connect to a driver that listens, instead of listening' },
  accessor: {
    type: 'string',
    valueHint: 'NAME[:OPTION=VALUE]',
    description: 'How ring metadata is reached; default: the fastest that is safe against mispredicted checks',
  },
  backend: {
    type: 'string',
    valueHint: 'WHERE',
    description: `${BACKEND_FORMS.join(', ')}, or NAME[:ARG] of a --plugin`,
  },
  xdp: {
    type: 'string',
    valueHint: 'PROGRAM',
    description: 'xdp1, FILE.o of clang -target bpf, or FILE.o:PROGRAM; with tap or drop',
  },
  'fix-offloads': {
    type: 'boolean',
    description: 'Switch off the offloads that hide VLAN tags and segments from af-xdp',
  },
  mtu: { type: 'string', valueHint: 'BYTES', description: 'MTU of the tap, 68 to 65521; default: as it is' },
  pace: {
    type: 'string',
    valueHint: 'HOW',
    description: 'How replay:FILE comes: recorded (default), with the gaps of the capture, or asap',
  },
  'max-gap': {
    type: 'string',
    valueHint: 'SECONDS',
    description: 'The longest gap of a recorded replay, 0 to 86400; longer ones are shortened; default 10',
  },
  loop: { type: 'boolean', description: 'Begin replay:FILE again at its end' },
  announce: {
    type: 'boolean',
    description: 'Leave it to the driver to announce itself after a migration (VIRTIO_NET_F_GUEST_ANNOUNCE)',
  },
  queues: { type: 'string', valueHint: 'N', description: 'Queue pairs, 1 to 128; default 1' },
  threads: {
    type: 'string',
    valueHint: 'N',
    description: 'Threads that share the queue pairs out, 1 to --queues; default 1',
  },
  plugin: {
    type: 'string',
    valueHint: 'SPEC',
    description:
      'Accessors and backends of a package or file, by their names to --accessor and --backend; any number of times',
  },
  capture: {
    type: 'string',
    valueHint: CAPTURE_FORM,
    description: `Frames of any backend to a pcapng file or FIFO, with ${CAPTURE_OPTIONS.join(', ')}; any number of times`,
  },
  memory: {
    type: 'string',
    valueHint: 'FILES',
    description:
      "Files that may be a driver's memory: memory (default; memfd, tmpfs, hugetlbfs), or any on a local disk too",
  },
  'require-sealed': { type: 'boolean', description: "A driver's memory must be sealed against being shortened" },
  'memory-max': {
    type: 'string',
    valueHint: 'SIZE',
    description: 'Memory that a driver may share, as in 512M or 64G; default: what this host has',
  },
  metrics: { type: 'string', valueHint: 'HOST:PORT', description: 'Serve Prometheus metrics and a status page' },
  control: {
    type: 'string',
    valueHint: 'PATH',
    description: 'Socket on which the running daemon takes commands, JSON lines',
  },
  'log-level': { type: 'string', valueHint: 'LEVEL', description: 'error, warn, info (default) or debug' },
  'log-format': { type: 'string', valueHint: 'HOW', description: 'text (default) or json' },
  config: { type: 'string', valueHint: 'FILE', description: 'JSON file with these settings; arguments come first' },
} as const satisfies OptionTable

/** Options that may be given several times. */
export const REPEATED = ['plugin', 'capture'] as const

type OptionName = keyof typeof OPTIONS

/** What was given: text as it was written, switches as `true`, what may be repeated as a list. */
export type GivenArguments = {
  readonly [Name in OptionName]?: (typeof OPTIONS)[Name]['type'] extends 'boolean'
    ? true
    : Name extends (typeof REPEATED)[number]
      ? readonly string[]
      : string
}

/**
 * Reads arguments strictly, see `readArguments` of `@vring/cli`.
 *
 * @param commands of the program, for what is none of them
 * @throws ServeError with exit code 2
 */
export function readArguments(rawArgs: readonly string[], commands: readonly string[] = []): GivenArguments {
  const given = readOptions(OPTIONS, rawArgs, commands)
  const valueFor = (name: OptionName): true | string | readonly string[] => {
    if (OPTIONS[name].type === 'boolean') return true
    return REPEATED.some((one) => one === name) ? given.all(name) : given.text(name)!
  }
  return Object.fromEntries(given.names.map((name) => [name, valueFor(name as OptionName)])) as GivenArguments
}
