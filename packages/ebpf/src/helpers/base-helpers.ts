import { EINVAL } from '@vring/layout'
import { high } from '../isa/wide.ts'
import { formatTrace } from './format-trace.ts'
import { type Helper, signedResult, wordResult } from './helper.ts'

const TWO_32 = 0x1_0000_0000
const NS_PER_MS = 1_000_000

/** Helpers that every program type has. Source: Linux kernel/bpf/helpers.c, bpf_base_func_proto; kernel/trace/bpf_trace.c. */
export const BASE_HELPERS: readonly Helper[] = [
  {
    number: 5,
    name: 'ktime_get_ns',
    arguments: [],
    result: 'number',
    create:
      ({ environment: { clock = defaultClock } }) =>
      () => {
        const ns = Math.floor(clock())
        high[0] = Math.floor(ns / TWO_32)
        return (ns % TWO_32) | 0
      },
  },
  {
    number: 6,
    name: 'trace_printk',
    arguments: ['memory', 'size', 'optional-number', 'optional-number', 'optional-number'],
    result: 'number',
    create:
      ({ regions, environment: { trace } }) =>
      (format, region, size, _s, a, aHigh, b, bHigh, c, cHigh) => {
        const start = format >>> 0
        const line = formatTrace(regions[region]!.u8.subarray(start, start + size), [a, aHigh, b, bHigh, c, cHigh])
        if (line === null) return signedResult(EINVAL)
        trace?.(line)
        return signedResult(line.length)
      },
  },
  {
    number: 7,
    name: 'get_prandom_u32',
    arguments: [],
    result: 'word',
    create:
      ({ environment: { random = defaultRandom } }) =>
      () =>
        wordResult(random()),
  },
  {
    number: 8,
    name: 'get_smp_processor_id',
    arguments: [],
    result: 'word',
    create:
      ({ environment: { cpu = 0 } }) =>
      () =>
        wordResult(cpu),
  },
]

function defaultClock(): number {
  return globalPerformance.performance.now() * NS_PER_MS
}

/** Node and browsers have it; the library types of this package know neither. */
const globalPerformance = globalThis as unknown as { readonly performance: { now(): number } }

function defaultRandom(): number {
  return Math.floor(Math.random() * TWO_32)
}
