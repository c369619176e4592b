import { EINVAL } from '@vring/layout'
import { RedirectTable } from '../maps/redirect-table.ts'
import { XDP_ABORTED, XDP_REDIRECT } from '../verdict.ts'
import { formatTrace } from './format-trace.ts'
import {
  HELPER_CSUM_DIFF,
  HELPER_GET_PRANDOM_U32,
  HELPER_GET_SMP_PROCESSOR_ID,
  HELPER_KTIME_GET_NS,
  HELPER_MAP_DELETE,
  HELPER_MAP_LOOKUP,
  HELPER_MAP_UPDATE,
  HELPER_REDIRECT,
  HELPER_REDIRECT_MAP,
  HELPER_TRACE_PRINTK,
  HELPER_XDP_ADJUST_HEAD,
  HELPER_XDP_ADJUST_META,
  HELPER_XDP_ADJUST_TAIL,
} from './helper-signature.ts'
import type { Machine } from './machine.ts'
import { REGION_MAP_OBJECTS, REGION_MAP_VALUES } from './memory-region.ts'
import { high } from './wide.ts'

/**
 * A helper at run time: r1 .. r5, low and high half each. Returns the low half of r0 and leaves the high half in
 * `high[0]`. The verifier has checked the arguments: a pointer's high half is its region.
 */
export type HelperFunction = (
  a: number,
  aHigh: number,
  b: number,
  bHigh: number,
  c: number,
  cHigh: number,
  d: number,
  dHigh: number,
  e: number,
  eHigh: number,
) => number

const TWO_32 = 0x1_0000_0000
/** Bytes that csum_diff looks at. Source: Linux net/core/filter.c, bpf_csum_diff: a scratch pad of MAX_BPF_STACK. */
const CSUM_DIFF_BYTES_MAX = 512
/** Low bits of redirect_map's flags: the verdict if the key has no target. */
const REDIRECT_FALLBACK_MASK = 3

/** A small signed number as r0 holds it: sign-extended. */
function signed(value: number): number {
  high[0] = value >> 31
  return value | 0
}

/** An unsigned 32-bit number as r0 holds it. */
function word(value: number): number {
  high[0] = 0
  return value | 0
}

/** All helpers over one machine. Source of what each does: Linux kernel/bpf/helpers.c, net/core/filter.c. */
export function createHelpers(machine: Machine): ReadonlyMap<number, HelperFunction> {
  const { maps, regions } = machine
  const { clock = defaultClock, random = defaultRandom, trace, cpu = 0 } = machine.environment
  const bytes = (region: number): Uint8Array => regions[region]!.u8
  return new Map<number, HelperFunction>([
    [
      HELPER_MAP_LOOKUP,
      (_a, map, key, keyRegion) => {
        const index = map - REGION_MAP_OBJECTS
        const at = maps[index]!.find(bytes(keyRegion), key >>> 0)
        high[0] = at < 0 ? 0 : REGION_MAP_VALUES + index
        return Math.max(at, 0)
      },
    ],
    [
      HELPER_MAP_UPDATE,
      (_a, map, key, keyRegion, value, valueRegion, flags, flagsHigh) => {
        const one = maps[map - REGION_MAP_OBJECTS]!
        if (flagsHigh !== 0) return signed(EINVAL)
        return signed(one.update(bytes(keyRegion), key >>> 0, bytes(valueRegion), value >>> 0, flags >>> 0))
      },
    ],
    [
      HELPER_MAP_DELETE,
      (_a, map, key, keyRegion) => signed(maps[map - REGION_MAP_OBJECTS]!.delete(bytes(keyRegion), key >>> 0)),
    ],
    [
      HELPER_KTIME_GET_NS,
      () => {
        const ns = Math.floor(clock())
        high[0] = Math.floor(ns / TWO_32)
        return (ns % TWO_32) | 0
      },
    ],
    [
      HELPER_TRACE_PRINTK,
      (format, region, size, _s, a, aHigh, b, bHigh, c, cHigh) => {
        const start = format >>> 0
        const line = formatTrace(bytes(region).subarray(start, start + size), [a, aHigh, b, bHigh, c, cHigh])
        if (line === null) return signed(EINVAL)
        trace?.(line)
        return signed(line.length)
      },
    ],
    [HELPER_GET_PRANDOM_U32, () => word(random())],
    [HELPER_GET_SMP_PROCESSOR_ID, () => word(cpu)],
    [
      HELPER_REDIRECT,
      (ifindex, _i, flags, flagsHigh) => {
        if ((flags | flagsHigh) !== 0) return word(XDP_ABORTED)
        machine.context.redirectTarget = ifindex >>> 0
        machine.context.redirectMap = null
        return word(XDP_REDIRECT)
      },
    ],
    [HELPER_CSUM_DIFF, (...halves) => csumDiff(regions, halves)],
    [HELPER_XDP_ADJUST_HEAD, (_c, _r, delta) => signed(machine.context.adjustHead(delta))],
    [
      HELPER_REDIRECT_MAP,
      (_a, map, key, _k, flags, flagsHigh) => {
        const table = maps[map - REGION_MAP_OBJECTS]
        if (flagsHigh !== 0 || (flags & ~REDIRECT_FALLBACK_MASK) !== 0 || !(table instanceof RedirectTable))
          return word(XDP_ABORTED)
        const target = table.target(key >>> 0)
        if (target < 0) return word(flags)
        machine.context.redirectTarget = target
        machine.context.redirectMap = table
        return word(XDP_REDIRECT)
      },
    ],
    [HELPER_XDP_ADJUST_META, (_c, _r, delta) => signed(machine.context.adjustMeta(delta))],
    [HELPER_XDP_ADJUST_TAIL, (_c, _r, delta) => signed(machine.context.adjustTail(delta))],
  ])
}

/**
 * How the ones' complement sum changes when `from` is replaced by `to`: the sum of all words of `to` and of the
 * complements of `from`, on top of a seed. Sizes must be multiples of 4 bytes, 512 together at most.
 */
function csumDiff(regions: Machine['regions'], halves: Parameters<HelperFunction>): number {
  const [from, fromRegion, fromBytes, , to, toRegion, toBytes, , seed] = halves
  if (((fromBytes | toBytes) & 3) !== 0 || fromBytes + toBytes > CSUM_DIFF_BYTES_MAX) return signed(EINVAL)
  let sum = seed >>> 0
  for (let i = 0; i < fromBytes; i += 4) sum = addWord(sum, ~regions[fromRegion]!.view.getInt32((from >>> 0) + i, true))
  for (let i = 0; i < toBytes; i += 4) sum = addWord(sum, regions[toRegion]!.view.getInt32((to >>> 0) + i, true))
  return word(sum)
}

/** Ones' complement addition of 32-bit words: the carry comes in again at the bottom. */
function addWord(sum: number, one: number): number {
  const total = sum + (one >>> 0)
  return total >= TWO_32 ? total - TWO_32 + 1 : total
}

const NS_PER_MS = 1_000_000

function defaultClock(): number {
  return globalPerformance.performance.now() * NS_PER_MS
}

/** Node and browsers have it; the library types of this package know neither. */
const globalPerformance = globalThis as unknown as { readonly performance: { now(): number } }

function defaultRandom(): number {
  return Math.floor(Math.random() * TWO_32)
}
