import type { MemoryRegion } from '../runtime/memory-region.ts'
import { type Helper, type HelperFunction, wordResult } from './helper.ts'

/** A helper of networking program types. */
export const CSUM_DIFF: Helper = {
  number: 28,
  name: 'csum_diff',
  arguments: ['memory-or-null', 'size-or-zero', 'memory-or-null', 'size-or-zero', 'number'],
  result: 'number',
  create:
    ({ regions }) =>
    (...halves) =>
      csumDiff(regions, halves),
}

/**
 * How the ones' complement sum changes when `from` is replaced by `to`, on top of a seed; folded to 16 bits, and of any
 * size. Source: Linux 6.18 net/core/filter.c, bpf_csum_diff.
 */
function csumDiff(regions: readonly MemoryRegion[], halves: Parameters<HelperFunction>): number {
  const [from, fromRegion, fromBytes, , to, toRegion, toBytes, , seed] = halves
  const seedSum = seed >>> 0
  if (fromBytes === 0)
    return wordResult(fold(toBytes === 0 ? seedSum : sumOf(regions[toRegion]!.view, to >>> 0, toBytes, seedSum)))
  const before = regions[fromRegion]!.view
  if (toBytes === 0) return wordResult(fold(~sumOf(before, from >>> 0, fromBytes, ~seedSum >>> 0) >>> 0))
  const after = sumOf(regions[toRegion]!.view, to >>> 0, toBytes, seedSum)
  return wordResult(fold(addWord(after, ~sumOf(before, from >>> 0, fromBytes, 0) >>> 0)))
}

const TWO_32 = 0x1_0000_0000

/** Ones' complement addition of 32-bit words: the carry comes in again at the bottom. */
function addWord(sum: number, one: number): number {
  const total = sum + one
  return total >= TWO_32 ? total - TWO_32 + 1 : total
}

/** The ones' complement sum of little-endian 32-bit words, the last one filled up with zeros. Source: Linux csum_partial. */
function sumOf(view: DataView, at: number, bytes: number, seed: number): number {
  let sum = seed
  const whole = bytes & ~3
  for (let i = 0; i < whole; i += 4) sum = addWord(sum, view.getUint32(at + i, true))
  let rest = 0
  for (let i = whole; i < bytes; i++) rest |= view.getUint8(at + i) << (8 * (i - whole))
  return addWord(sum, rest)
}

/** Both halves added, with the carry. Source: Linux csum_from32to16. */
function fold(sum: number): number {
  const total = (sum >>> 16) + (sum & 0xffff)
  return total > 0xffff ? total - 0xffff : total
}
