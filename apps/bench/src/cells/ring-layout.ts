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
import { type CellSpec, chainCount } from '../cell-spec.ts'
import { buildFrame, FRAME_KINDS, frameLength } from '../frames.ts'
import { readInput, slotBytesFor } from '../input/recorded-input.ts'
import { seededRandom } from '../stats/index.ts'
import type { Replay } from './replay-driver.ts'

/** User address that the driver's memory begins at: any page of the user half would do. */
export const USER_BASE = 0x7f00_0000_0000
/** Guest-physical (or I/O virtual) address that the driver's buffers begin at. */
export const GUEST_BASE = 0x1_0000_0000

const PAGE = 4096

/**
 * Where a cell's ring and buffers lie, as offsets from the beginning of the driver's memory. Each ring area begins on a
 * page of its own; buffers follow, each in a slot; indirect tables, one for each chain, come last.
 *
 * ```
 *   | desc | avail | used | slot 0 | slot 1 | ... | table 0 | table 1 | ... |
 * ```
 */
export interface RingPlan {
  readonly ring: RingAreas
  /** Chains that are in the ring. */
  readonly chains: number
  /** Bytes of the whole, a multiple of the page size. */
  readonly bytes: number
  readonly desc: number
  readonly avail: number
  readonly used: number
  readonly slots: number
  /** Buffers; chain k uses buffer k modulo this. */
  readonly slotCount: number
  /** Bytes from one slot to the next. */
  readonly slotBytes: number
  readonly tables: number
  /** Bytes from one indirect table to the next. */
  readonly tableBytes: number
  /** Bytes of virtio-net header and frame in each slot. */
  readonly bufferBytes: readonly number[]
  /** Recorded frames, one a slot; null: frames are made. */
  readonly frames: readonly Uint8Array[] | null
}

/**
 * Buffers of a driver at most. With a batch outstanding it needs no more: a mempool hands out again what came back, and
 * how large the ring is does not change how much memory the frames take.
 */
const BUFFERS_MAX = 256

/** Lays a cell's driver memory out. */
export function planRing(spec: CellSpec): RingPlan {
  const { queueSize, chainLength, indirect } = spec
  const chains = chainCount(spec)
  const frames = spec.input === null ? null : readInput(spec.input).frames
  const slotCount = frames?.length ?? Math.min(chains, BUFFERS_MAX)
  const bufferBytes = Array.from(
    { length: slotCount },
    (_, slot) => NET_HDR_MRG_BYTES + (frames?.[slot]?.length ?? frameLength(spec.frameBytes, slot)),
  )
  const desc = 0
  const avail = roundUp(descTableBytes(queueSize), PAGE)
  const used = avail + roundUp(availRingBytes(queueSize, true), PAGE)
  const slots = used + roundUp(usedRingBytes(queueSize, true), PAGE)
  // A slot of 2 KiB is what mbuf pools use; a power of two, so that no frame below a page crosses one.
  const slotBytes = slotBytesFor(bufferBytes.reduce((most, bytes) => Math.max(most, bytes)))
  const tables = slots + roundUp(slotCount * slotBytes, PAGE)
  const tableBytes = indirect ? 2 ** Math.ceil(Math.log2(DESC_BYTES * chainLength)) : 0
  const bytes = tables + roundUp(chains * tableBytes, PAGE)
  const base = spec.iotlb ? GUEST_BASE : USER_BASE
  const ring = splitRingAreas(queueSize, spec.eventIdx, base + desc, base + avail, base + used)
  return {
    ring,
    chains,
    bytes,
    desc,
    avail,
    used,
    slots,
    slotCount,
    slotBytes,
    tables,
    tableBytes,
    bufferBytes,
    frames,
  }
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
 * Writes what the driver writes once: frames after zeroed virtio-net headers, descriptors, indirect tables. Chain k
 * always is buffer k, as a driver that recycles its buffers in order has it.
 *
 * @param kinds `udp`: what testpmd's txonly sends; `mixed`: every kind that a parser tells apart
 */
export function writeRing(plan: RingPlan, spec: CellSpec, seed: number, kinds: 'udp' | 'mixed', poke: Poke): void {
  const random = seededRandom(seed)
  for (let slot = 0; slot < plan.slotCount; slot++) {
    const kind = kinds === 'udp' ? 'ipv4-udp' : FRAME_KINDS[slot % FRAME_KINDS.length]!
    const buffer = new Uint8Array(plan.bufferBytes[slot]!)
    const frame = plan.frames?.[slot] ?? buildFrame(kind, buffer.length - NET_HDR_MRG_BYTES, random)
    buffer.set(frame, NET_HDR_MRG_BYTES)
    poke(bufferOffset(plan, slot), buffer)
  }
  for (let chain = 0; chain < plan.chains; chain++) {
    const pieces = descriptors(plan, spec, chain)
    if (!spec.indirect) poke(plan.desc + DESC_BYTES * headOf(spec, chain), pieces)
    else {
      const table = plan.tables + chain * plan.tableBytes
      poke(table, pieces)
      poke(plan.desc + DESC_BYTES * chain, descriptor(GUEST_BASE + table, pieces.length, VIRTQ_DESC_F_INDIRECT, 0))
    }
  }
}

/**
 * Where a slot's buffer begins. Slots are a power of two apart and would all fall into the same few sets of the first
 * cache, so buffers are shifted by cache lines, as mempools spread their objects.
 */
function bufferOffset({ slots, slotBytes, bufferBytes }: RingPlan, slot: number): number {
  const lines = Math.min(16, Math.floor((slotBytes - bufferBytes[slot]!) / 64) + 1)
  return slots + slot * slotBytes + (slot % lines) * 64
}

/**
 * What a driver of recorded frames writes into its descriptors; null: it has none.
 *
 * @param desc byte offset of the descriptor table in the driver's view
 */
export function replayOf(plan: RingPlan, desc: number): Replay | null {
  if (plan.frames === null) return null
  const addresses = Uint32Array.from(plan.frames, (_, slot) => GUEST_BASE + bufferOffset(plan, slot))
  return { desc, addresses, lengths: Uint32Array.from(plan.bufferBytes) }
}

/** Index of the descriptor that a chain begins with. */
export function headOf(spec: CellSpec, chain: number): number {
  return spec.indirect ? chain : chain * spec.chainLength
}

/** A chain's descriptors: the buffer in equal pieces, header and frame not told apart (VIRTIO_F_ANY_LAYOUT). */
function descriptors(plan: RingPlan, spec: CellSpec, chain: number): Uint8Array {
  const { chainLength, indirect } = spec
  const slot = chain % plan.slotCount
  const address = GUEST_BASE + bufferOffset(plan, slot)
  const total = plan.bufferBytes[slot]!
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
