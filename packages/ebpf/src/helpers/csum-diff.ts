import { EINVAL } from '@vring/layout'
import type { MemoryRegion } from '../runtime/memory-region.ts'
import { type Helper, type HelperFunction, signedResult, wordResult } from './helper.ts'

const TWO_32 = 0x1_0000_0000
/** Bytes that csum_diff looks at. Source: Linux net/core/filter.c, bpf_csum_diff: a scratch pad of MAX_BPF_STACK. */
const CSUM_DIFF_BYTES_MAX = 512

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
 * How the ones' complement sum changes when `from` is replaced by `to`: the sum of all words of `to` and of the
 * complements of `from`, on top of a seed. Sizes must be multiples of 4 bytes, 512 together at most.
 */
function csumDiff(regions: readonly MemoryRegion[], halves: Parameters<HelperFunction>): number {
  const [from, fromRegion, fromBytes, , to, toRegion, toBytes, , seed] = halves
  if (((fromBytes | toBytes) & 3) !== 0 || fromBytes + toBytes > CSUM_DIFF_BYTES_MAX) return signedResult(EINVAL)
  let sum = seed >>> 0
  for (let i = 0; i < fromBytes; i += 4) sum = addWord(sum, ~regions[fromRegion]!.view.getInt32((from >>> 0) + i, true))
  for (let i = 0; i < toBytes; i += 4) sum = addWord(sum, regions[toRegion]!.view.getInt32((to >>> 0) + i, true))
  return wordResult(sum)
}

/** Ones' complement addition of 32-bit words: the carry comes in again at the bottom. */
function addWord(sum: number, one: number): number {
  const total = sum + (one >>> 0)
  return total >= TWO_32 ? total - TWO_32 + 1 : total
}
