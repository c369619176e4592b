import { parseArgs } from 'node:util'
import { ECHO_BYTES_MAX, ECHO_BYTES_MIN } from './echo-driver.ts'
import { loadRegistry } from './load-registry.ts'
import { type LatencyRow, measureLatency } from './measure-latency.ts'
import { startError, usageError } from './serve-error.ts'

const FRAMES_MAX = 10_000_000

export const LATENCY_USAGE = `USAGE vring-serve latency [--frames N] [--bytes N] [--accessor NAME] [--plugin SPEC]

  Times single frames from a driver's kick through the daemon into a TAP, which sends them back, into the driver's receive
  ring. Needs root.

  --frames N        frames of each row, 1 to ${FRAMES_MAX}; default 10000
  --bytes N         bytes of a frame, ${ECHO_BYTES_MIN} to ${ECHO_BYTES_MAX}; default 64
  --accessor NAME   default: the fastest
  --plugin SPEC     accessor of another package or file, any number of times
`

/**
 * `vring-serve latency`.
 *
 * @param rawArgs arguments behind `latency`
 * @returns what to print
 * @throws ServeError
 */
export async function latencyCommand(rawArgs: readonly string[]): Promise<string> {
  const values = readArguments(rawArgs)
  if (values.help === true) return LATENCY_USAGE
  const frames = integer('--frames', values.frames ?? '10000', 1, FRAMES_MAX)
  const bytes = integer('--bytes', values.bytes ?? '64', ECHO_BYTES_MIN, ECHO_BYTES_MAX)
  const plugins = values.plugin ?? []
  const registry = await loadRegistry(plugins)
  const accessor = accessorName(() => values.accessor ?? registry.select().chosen, registry)
  const rows = await measureLatency({ accessor, plugins, frames, bytes })
  return `kick, daemon, TAP, XDP_TX, daemon, receive ring: ${bytes} bytes, accessor ${accessor}; microseconds\n${table(rows)}`
}

function readArguments(rawArgs: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...rawArgs],
      options: {
        frames: { type: 'string' },
        bytes: { type: 'string' },
        accessor: { type: 'string' },
        plugin: { type: 'string', multiple: true },
        help: { type: 'boolean', short: 'h' },
      },
    })
    return values
  } catch (error) {
    throw usageError('latency', (error as Error).message)
  }
}

function accessorName(wanted: () => string, registry: { accessor(name: string): { readonly name: string } }): string {
  try {
    return registry.accessor(wanted()).name
  } catch (error) {
    throw startError('--accessor', error)
  }
}

function integer(argument: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw usageError(argument, `${JSON.stringify(text)} is not accepted; accepted: ${least} to ${most}`)
  return value
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
