import { parseArgs } from 'node:util'
import { nearestName } from '@vring/registry'
import type { ArgsDef } from 'citty'
import { usageError } from './serve-error.ts'

/** Every option, as `--help` describes it. */
export const OPTIONS = {
  socket: { type: 'string', valueHint: 'PATH', description: 'vhost-user socket' },
  client: { type: 'boolean', description: 'Connect to a driver that listens, instead of listening' },
  accessor: { type: 'string', valueHint: 'NAME', description: 'How ring metadata is reached; default: the fastest' },
  backend: {
    type: 'string',
    valueHint: 'WHERE',
    description: 'tap:NAME, af-xdp:INTERFACE[:QUEUE], pcap:FILE, replay:FILE, drop or loopback',
  },
  xdp: {
    type: 'string',
    valueHint: 'PROGRAM',
    description: 'xdp1, or an object file of clang -target bpf; with tap or drop',
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
  queues: { type: 'string', valueHint: 'N', description: 'Queue pairs, 1 to 128; default 1' },
  plugin: {
    type: 'string',
    valueHint: 'SPEC',
    description: 'Accessor of another package or file, by its name to --accessor; any number of times',
  },
  capture: {
    type: 'string',
    valueHint: 'FILE',
    description:
      'Frames of any backend to a pcapng file or FIFO: FILE[,pair=N,dir=rx|tx,snaplen=B,rotate=SIZE,files=N,overwrite]; any number of times',
  },
  metrics: { type: 'string', valueHint: 'HOST:PORT', description: 'Serve Prometheus metrics and a status page' },
  config: { type: 'string', valueHint: 'FILE', description: 'JSON file with these settings; arguments come first' },
} as const satisfies ArgsDef

type OptionName = keyof typeof OPTIONS

/** Options that may be given several times. */
const REPEATED: ReadonlySet<OptionName> = new Set(['plugin', 'capture'])

/** What was given: text as it was written, switches as `true`, what may be repeated as a list. */
export type GivenArguments = {
  readonly [Name in OptionName]?: (typeof OPTIONS)[Name]['type'] extends 'boolean'
    ? true
    : Name extends 'plugin' | 'capture'
      ? readonly string[]
      : string
}

/**
 * Reads arguments strictly: unknown options, missing values and stray words are refused by name, with what is accepted and
 * the nearest option.
 *
 * @throws ServeError with exit code 2
 */
export function readArguments(rawArgs: readonly string[]): GivenArguments {
  const names = Object.keys(OPTIONS) as OptionName[]
  const { tokens } = parseArgs({
    args: [...rawArgs],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(names.map((name) => [name, { type: OPTIONS[name].type }])),
  })
  const given: { -readonly [Name in OptionName]?: string | true | string[] } = {}
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional')
      throw usageError(JSON.stringify(token.value), `unexpected; accepted: ${accepted()}`)
    const name = names.find((one) => one === token.name)
    if (name === undefined) throw unknownOption(token.rawName, names)
    if (OPTIONS[name].type === 'boolean') {
      if (token.value !== undefined) throw usageError(token.rawName, 'is a switch and takes no value')
      given[name] = true
    } else {
      const { value } = token
      // `--socket --client` lacks a value; `--socket=--odd` has one.
      if (value === undefined || value === '' || (!token.inlineValue && value.startsWith('--')))
        throw usageError(token.rawName, `needs a value: ${OPTIONS[name].valueHint}`)
      if (REPEATED.has(name)) given[name] = [...((given[name] as string[] | undefined) ?? []), value]
      else given[name] = value
    }
  }
  return given as GivenArguments
}

function accepted(): string {
  return Object.keys(OPTIONS)
    .map((name) => `--${name}`)
    .join(', ')
}

function unknownOption(rawName: string, names: readonly string[]): Error {
  const near = nearestName(rawName.replace(/^-+/, ''), names)
  return usageError(
    rawName,
    `unknown option; accepted: ${accepted()}${near === null ? '' : `; did you mean --${near}?`}`,
  )
}
