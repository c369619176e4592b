import { helpText, type OptionTable, readArguments } from '@vring/cli'
import { formatAccessor } from '@vring/registry'
import { chooseAccessor } from '../config/choose-accessor.ts'
import { loadRegistry } from '../config/load-registry.ts'
import { ECHO_BYTES_MAX, ECHO_BYTES_MIN } from './echo-driver.ts'
import { type LatencyRow, measureLatency } from './measure-latency.ts'

const FRAMES_MAX = 10_000_000

const OPTIONS = {
  frames: { type: 'string', valueHint: 'N', description: `Frames of each row, 1 to ${FRAMES_MAX}; default 10000` },
  bytes: {
    type: 'string',
    valueHint: 'N',
    description: `Bytes of a frame, ${ECHO_BYTES_MIN} to ${ECHO_BYTES_MAX}; default 64`,
  },
  accessor: { type: 'string', valueHint: 'NAME[:OPTION=VALUE]', description: 'Default: as the daemon chooses' },
  plugin: {
    type: 'string',
    valueHint: 'SPEC',
    description: 'Accessor of another package or file, any number of times',
  },
} as const satisfies OptionTable

/** `vring-serve latency --help`. */
const LATENCY_USAGE: string = helpText({
  name: 'vring-serve latency',
  description:
    "Times single frames from a driver's kick through the daemon into a TAP, which sends them back, into the driver's receive ring. Needs root.",
  options: OPTIONS,
})

/**
 * `vring-serve latency`.
 *
 * @param rawArgs arguments after `latency`
 * @returns what to print
 * @throws ServeError
 */
export async function latencyCommand(rawArgs: readonly string[]): Promise<string> {
  if (rawArgs.includes('--help') || rawArgs.includes('-h')) return LATENCY_USAGE
  const given = readArguments(OPTIONS, rawArgs)
  const frames = given.integer('frames', 1, FRAMES_MAX, 10_000)
  const bytes = given.integer('bytes', ECHO_BYTES_MIN, ECHO_BYTES_MAX, 64)
  const plugins = given.all('plugin')
  const accessor = chooseAccessor(given.text('accessor'), await loadRegistry(plugins))
  const rows = await measureLatency({ accessor, plugins, frames, bytes })
  return `kick, daemon, TAP, XDP_TX, daemon, receive ring: ${bytes} bytes, accessor ${formatAccessor(accessor)}; microseconds\n${table(rows)}`
}

const HEAD = ['', 'frames', 'kicks', 'p50', 'p90', 'p99', 'longest']

function table(rows: readonly LatencyRow[]): string {
  const us = (ns: number): string => (ns / 1000).toFixed(1)
  const cells = rows.map(({ name, kicks, latency: { count, p50, p90, p99, max } }) => [
    ...[name, String(count), String(kicks)],
    ...[p50, p90, p99, max].map(us),
  ])
  return [HEAD, ...cells]
    .map(([name, ...numbers]) => `${name!.padEnd(14)}${numbers.map((one) => one.padStart(10)).join('')}\n`)
    .join('')
}
