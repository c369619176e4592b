import { EINVAL } from '@vring/layout'
import { high } from '../isa/wide.ts'
import type { Machine } from '../runtime/machine.ts'
import type { MemoryRegion } from '../runtime/memory-region.ts'
import { formatTrace, type ReadMemory } from './format-trace.ts'
import { type Helper, type HelperFunction, signedResult, wordResult } from './helper.ts'

const TWO_32 = 0x1_0000_0000
const NS_PER_MS = 1_000_000
/** CONFIG_HZ=250. */
const NS_PER_JIFFY = 4_000_000
/** Numbers that trace_vprintk takes. Source: Linux MAX_BPRINTF_VARARGS. */
const VPRINTK_NUMBERS_MAX = 12

/**
 * Helpers that every program type has. Source: Linux kernel/bpf/helpers.c, bpf_base_func_proto;
 * kernel/trace/bpf_trace.c.
 */
export const BASE_HELPERS: readonly Helper[] = [
  {
    number: 5,
    name: 'ktime_get_ns',
    arguments: [],
    result: 'number',
    create: nanoseconds,
  },
  {
    number: 125,
    name: 'ktime_get_boot_ns',
    arguments: [],
    result: 'number',
    create: nanoseconds,
  },
  {
    number: 160,
    name: 'ktime_get_coarse_ns',
    arguments: [],
    result: 'number',
    create: nanoseconds,
  },
  {
    number: 208,
    name: 'ktime_get_tai_ns',
    arguments: [],
    result: 'number',
    create: nanoseconds,
  },
  {
    number: 118,
    name: 'jiffies64',
    arguments: [],
    result: 'number',
    create:
      ({ environment: { clock = defaultClock } }) =>
      () =>
        wide(Math.floor(clock() / NS_PER_JIFFY)),
  },
  {
    number: 42,
    name: 'get_numa_node_id',
    arguments: [],
    result: 'word',
    create: () => () => wordResult(0),
  },
  {
    number: 177,
    name: 'trace_vprintk',
    arguments: ['memory', 'size', 'memory-or-null', 'size-or-zero'],
    result: 'number',
    create:
      ({ regions, environment: { trace } }) =>
      (format, region, size, _s, data, dataRegion, bytes) => {
        if ((bytes & 7) !== 0 || bytes > 8 * VPRINTK_NUMBERS_MAX) return signedResult(EINVAL)
        const start = format >>> 0
        const halves = Array.from({ length: bytes >> 2 }, (_, i) =>
          regions[dataRegion]!.view.getInt32((data >>> 0) + 4 * i, true),
        )
        const line = formatTrace(regions[region]!.u8.subarray(start, start + size), halves, reader(regions))
        if (line === null) return signedResult(EINVAL)
        trace?.(line)
        return signedResult(line.length)
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
        const numbers = [a, aHigh, b, bHigh, c, cHigh]
        const line = formatTrace(regions[region]!.u8.subarray(start, start + size), numbers, reader(regions))
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

/** Reads where a number leads, if it is a pointer to memory: nothing says that it is one. */
function reader(regions: readonly MemoryRegion[]): ReadMemory {
  return (low, region) => {
    const bytes = regions[region]?.u8
    return bytes === undefined || low >>> 0 >= bytes.length ? null : bytes.subarray(low >>> 0)
  }
}

function nanoseconds({ environment: { clock = defaultClock } }: Pick<Machine, 'environment'>): HelperFunction {
  return () => wide(Math.floor(clock()))
}

/** A whole number below 2^53 as r0 holds it. */
function wide(value: number): number {
  high[0] = Math.floor(value / TWO_32)
  return (value % TWO_32) | 0
}

function defaultClock(): number {
  return globalPerformance.performance.now() * NS_PER_MS
}

/** Node and browsers have it; the library types of this package know neither. */
const globalPerformance = globalThis as unknown as { readonly performance: { now(): number } }

function defaultRandom(): number {
  return Math.floor(Math.random() * TWO_32)
}
