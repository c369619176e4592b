import {
  availRingBytes,
  DESC_BYTES,
  descTableBytes,
  featureSet,
  NET_HDR_MRG_BYTES,
  type RingAreas,
  splitRingAreas,
  usedRingBytes,
  VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_VERSION_1,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
} from '@vring/layout'
import type { CellSpec } from '../cell-spec.ts'
import { buildFrame, FRAME_KINDS, frameLength } from '../frames.ts'
import { seededRandom } from '../stats/index.ts'

/** User address that the driver's memory begins at: any page of the user half would do. */
export const USER_BASE = 0x7f00_0000_0000
/** Guest-physical (or I/O virtual) address that the driver's buffers begin at. */
export const GUEST_BASE = 0x1_0000_0000

const PAGE = 4096

/**
 * Where a cell's ring and buffers lie, as offsets from the beginning of the driver's memory. Each ring area begins on a
 * page of its own; buffers follow, one slot for each chain; indirect tables come last.
 *
 * ```
 *   | desc | avail | used | slot 0 | slot 1 | ... | table 0 | table 1 | ... |
 * ```
 */
export interface RingPlan {
  readonly ring: RingAreas
  /** Chains that are in the ring: a power of two, so that 65536 packets bring every index back to its beginning. */
  readonly chains: number
  /** Bytes of the whole, a multiple of the page size. */
  readonly bytes: number
  readonly desc: number
  readonly avail: number
  readonly used: number
  readonly slots: number
  /** Bytes from one slot to the next. */
  readonly slotBytes: number
  readonly tables: number
  /** Bytes from one indirect table to the next. */
  readonly tableBytes: number
  /** Bytes of virtio-net header and frame of each chain. */
  readonly chainBytes: readonly number[]
}

/** Lays a cell's driver memory out. */
export function planRing(spec: CellSpec): RingPlan {
  const { queueSize, chainLength, indirect } = spec
  const room = indirect ? queueSize : Math.floor(queueSize / chainLength)
  const chains = 2 ** Math.floor(Math.log2(room))
  const chainBytes = Array.from(
    { length: chains },
    (_, chain) => NET_HDR_MRG_BYTES + frameLength(spec.frameBytes, chain),
  )
  const desc = 0
  const avail = roundUp(descTableBytes(queueSize), PAGE)
  const used = avail + roundUp(availRingBytes(queueSize, true), PAGE)
  const slots = used + roundUp(usedRingBytes(queueSize, true), PAGE)
  // A slot of 2 KiB is what mbuf pools use; a power of two, so that no frame below a page crosses one.
  const slotBytes = Math.max(2048, 2 ** Math.ceil(Math.log2(Math.max(...chainBytes))))
  const tables = slots + roundUp(chains * slotBytes, PAGE)
  const tableBytes = indirect ? 2 ** Math.ceil(Math.log2(DESC_BYTES * chainLength)) : 0
  const bytes = tables + roundUp(chains * tableBytes, PAGE)
  const base = spec.iotlb ? GUEST_BASE : USER_BASE
  const ring = splitRingAreas(queueSize, spec.eventIdx, base + desc, base + avail, base + used)
  return { ring, chains, bytes, desc, avail, used, slots, slotBytes, tables, tableBytes, chainBytes }
}

/** Feature bits that driver and device of a cell agreed on. */
export function cellFeatures(spec: CellSpec): bigint {
  return featureSet(
    VIRTIO_F_VERSION_1,
    ...(spec.eventIdx ? [VIRTIO_F_EVENT_IDX] : []),
    ...(spec.indirect ? [VIRTIO_F_INDIRECT_DESC] : []),
    ...(spec.iotlb ? [VIRTIO_F_ACCESS_PLATFORM] : []),
  )
}

/** Writes bytes at an offset from the beginning of the driver's memory. */
export type Poke = (offset: number, bytes: Uint8Array) => void

/**
 * Writes what the driver writes once: frames behind zeroed virtio-net headers, descriptors, indirect tables. Chain k
 * always is buffer k, as a driver that recycles its buffers in order has it.
 *
 * @param kinds `udp`: what testpmd's txonly sends; `mixed`: every kind that a parser tells apart
 */
export function writeRing(plan: RingPlan, spec: CellSpec, seed: number, kinds: 'udp' | 'mixed', poke: Poke): void {
  const random = seededRandom(seed)
  for (let chain = 0; chain < plan.chains; chain++) {
    const kind = kinds === 'udp' ? 'ipv4-udp' : FRAME_KINDS[chain % FRAME_KINDS.length]!
    const buffer = new Uint8Array(plan.chainBytes[chain]!)
    buffer.set(buildFrame(kind, buffer.length - NET_HDR_MRG_BYTES, random), NET_HDR_MRG_BYTES)
    const slot = plan.slots + chain * plan.slotBytes + colour(chain, buffer.length, plan.slotBytes)
    poke(slot, buffer)
    const pieces = descriptors(plan, spec, chain, GUEST_BASE + slot)
    if (!spec.indirect) poke(plan.desc + DESC_BYTES * headOf(spec, chain), pieces)
    else {
      const table = plan.tables + chain * plan.tableBytes
      poke(table, pieces)
      poke(plan.desc + DESC_BYTES * chain, descriptor(GUEST_BASE + table, pieces.length, VIRTQ_DESC_F_INDIRECT, 0))
    }
  }
}

/** Index of the descriptor that a chain begins with. */
export function headOf(spec: CellSpec, chain: number): number {
  return spec.indirect ? chain : chain * spec.chainLength
}

/**
 * Where in its slot a buffer begins: slots are a power of two apart and would all fall into the same few sets of the first
 * cache, so buffers are shifted by cache lines, as mempools spread their objects.
 */
function colour(chain: number, bytes: number, slotBytes: number): number {
  const lines = Math.min(16, Math.floor((slotBytes - bytes) / 64) + 1)
  return (chain % lines) * 64
}

/** A chain's descriptors: the buffer in equal pieces, header and frame not told apart (VIRTIO_F_ANY_LAYOUT). */
function descriptors(plan: RingPlan, spec: CellSpec, chain: number, address: number): Uint8Array {
  const { chainLength, indirect } = spec
  const total = plan.chainBytes[chain]!
  const piece = Math.ceil(total / chainLength)
  const first = indirect ? 0 : headOf(spec, chain)
  const bytes = new Uint8Array(DESC_BYTES * chainLength)
  for (let index = 0; index < chainLength; index++) {
    const last = index === chainLength - 1
    const from = Math.min(total, index * piece)
    const length = last ? total - from : Math.min(piece, total - from)
    const next = last ? 0 : first + index + 1
    bytes.set(descriptor(address + from, length, last ? 0 : VIRTQ_DESC_F_NEXT, next), DESC_BYTES * index)
  }
  return bytes
}

function descriptor(address: number, length: number, flags: number, next: number): Uint8Array {
  const words = new Uint32Array([address >>> 0, Math.floor(address / 2 ** 32), length, flags | (next << 16)])
  return new Uint8Array(words.buffer)
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit
}
