import type { Cpu } from '@vring/accessor'
import { ENOBUFS, EXDEV } from '@vring/layout'
import { ACCESS_READ, type AddressMap, type MemoryView, work } from '@vring/memory'
import { type ChainBatch, PIECES_MAX } from '@vring/virtqueue'

/**
 * Copies the segments of chain `chain` to byte `at` of `to`: its first `head` bytes under one stac and clac pair, as the
 * header is copied by Linux 5.0, and the rest under another.
 *
 * @returns 0 or a negative errno; -ENOBUFS: it lies in more than {@link PIECES_MAX} pieces
 */
export function copyChain(
  cpu: Cpu,
  buffers: AddressMap,
  chains: ChainBatch,
  chain: number,
  head: number,
  to: MemoryView,
  at: number,
): number {
  const last = chains.segStart[chain + 1]!
  cpu.stac()
  let done = 0
  let pieces = 0
  let status = 0
  for (let segment = chains.segStart[chain]!; segment < last && status === 0; segment++) {
    let address = chains.address[segment]!
    let left = chains.length[segment]!
    while (left > 0) {
      if (done === head) {
        cpu.clac()
        cpu.stac()
      }
      const want = done < head ? Math.min(left, head - done) : left
      const copied = pieces++ < PIECES_MAX ? copyPiece(cpu, buffers, address, want, to, at + done) : ENOBUFS
      if (copied < 0) {
        status = copied
        break
      }
      address += copied
      left -= copied
      done += copied
    }
  }
  cpu.clac()
  work.chargePieces(pieces)
  return status
}

/** Copies up to `length` bytes that are contiguous; how many, or a negative errno. */
function copyPiece(
  cpu: Cpu,
  buffers: AddressMap,
  address: number,
  length: number,
  to: MemoryView,
  toOffset: number,
): number {
  let at = cpu.translate(buffers, address, length, ACCESS_READ)
  let span = length
  if (at === EXDEV) {
    at = buffers.resolveSpan(address, length, ACCESS_READ)
    span = buffers.span
  }
  if (at < 0) return at
  cpu.copy(to, toOffset, buffers.view, at, span)
  return span
}
