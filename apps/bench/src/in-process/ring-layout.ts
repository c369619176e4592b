import {
  availRingBytes,
  DESC_BYTES,
  descTableBytes,
  featureSet,
  NET_HDR_MRG_BYTES,
  PACKED_EVENT_BYTES,
  packedRingAreas,
  type RingAreas,
  splitRingAreas,
  usedRingBytes,
  VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_IN_ORDER,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_VERSION_1,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
} from '@vring/layout'
import { type CellSpec, chainCount, type RingFormat } from '../cell/cell-spec.ts'
import { readInput, slotBytesFor } from '../input/recorded-input.ts'
import { seededRandom } from '../stats/index.ts'
import { buildFrame, FRAME_KINDS, frameLength } from './frames.ts'
import type { LapPlan } from './lap-driver.ts'

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
 *   | desc | driver | device | slot 0 | slot 1 | ... | table 0 | table 1 | ... |
 * ```
 */
export interface RingPlan {
  readonly ring: RingAreas
  /** Chains that are in the ring. */
  readonly chains: number
  /** Bytes of the whole, a multiple of the page size. */
  readonly bytes: number
  readonly desc: number
  readonly driver: number
  readonly device: number
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
 * Buffers of a driver at most. With a batch outstanding it needs no more. A mempool hands out again what came back. The
 * size of the ring does not change how much memory the frames take.
 */
const BUFFERS_MAX = 256

/** Lays a cell's driver memory out. */
export function planRing(spec: CellSpec): RingPlan {
  const { queueSize, chainLength, indirect, eventIdx } = spec
  const packed = spec.ring === 'packed'
  const chains = chainCount(spec)
  const frames = spec.input === null ? null : readInput(spec.input).frames
  const slotCount = frames?.length ?? Math.min(chains, BUFFERS_MAX)
  const bufferBytes = Array.from(
    { length: slotCount },
    (_, slot) => NET_HDR_MRG_BYTES + (frames?.[slot]?.length ?? frameLength(spec.frameBytes, slot)),
  )
  const desc = 0
  const driver = roundUp(descTableBytes(queueSize), PAGE)
  const device = driver + roundUp(packed ? PACKED_EVENT_BYTES : availRingBytes(queueSize, true), PAGE)
  const slots = device + roundUp(packed ? PACKED_EVENT_BYTES : usedRingBytes(queueSize, true), PAGE)
  // A slot of 2 KiB is what mbuf pools use; a power of two, so that no frame below a page crosses one.
  const slotBytes = slotBytesFor(bufferBytes.reduce((most, bytes) => Math.max(most, bytes)))
  const tables = slots + roundUp(slotCount * slotBytes, PAGE)
  const tableBytes = indirect ? 2 ** Math.ceil(Math.log2(DESC_BYTES * chainLength)) : 0
  const bytes = tables + roundUp(chains * tableBytes, PAGE)
  const base = spec.iotlb ? GUEST_BASE : USER_BASE
  const areasOf = packed ? packedRingAreas : splitRingAreas
  const ring = areasOf(queueSize, eventIdx, base + desc, base + driver, base + device)
  return {
    ring,
    chains,
    bytes,
    desc,
    driver,
    device,
    slots,
    slotCount,
    slotBytes,
    tables,
    tableBytes,
    bufferBytes,
    frames,
  }
}

/** Where the queue of a new ring begins: of a packed one at slot 0 with wrap counters of 1, available and used. */
export const FIRST_BASE: Readonly<Record<RingFormat, number>> = { split: 0, packed: 0x8000_8000 }

/** Feature bits that driver and device of a cell agreed on. */
export function cellFeatures(spec: CellSpec): bigint {
  return featureSet(
    VIRTIO_F_VERSION_1,
    ...(spec.ring === 'packed' ? [VIRTIO_F_RING_PACKED] : []),
    ...(spec.inOrder ? [VIRTIO_F_IN_ORDER] : []),
    ...(spec.eventIdx ? [VIRTIO_F_EVENT_IDX] : []),
    ...(spec.indirect ? [VIRTIO_F_INDIRECT_DESC] : []),
    ...(spec.iotlb ? [VIRTIO_F_ACCESS_PLATFORM] : []),
  )
}

/** Writes bytes at an offset from the beginning of the driver's memory. */
export type Poke = (offset: number, bytes: Uint8Array) => void

/**
 * Writes what the driver writes once: frames after zeroed virtio-net headers, indirect tables, and the descriptors of a
 * split ring. Chain k always is buffer k, as a driver that recycles its buffers in order has it.
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
  const split = spec.ring === 'split'
  for (let chain = 0; chain < plan.chains; chain++) {
    if (spec.indirect) poke(tableOffset(plan, chain), asBytes(pieces(plan, spec, chain, 0)))
    if (split) poke(plan.desc + DESC_BYTES * headOf(spec, chain), asBytes(ringEntries(plan, spec, chain)))
  }
}

/**
 * Where a slot's buffer begins. Slots are a power of two apart and would all fall into the same few sets of the first
 * cache. So buffers are shifted by cache lines, as mempools spread their objects.
 */
function bufferOffset({ slots, slotBytes, bufferBytes }: RingPlan, slot: number): number {
  const lines = Math.min(16, Math.floor((slotBytes - bufferBytes[slot]!) / 64) + 1)
  return slots + slot * slotBytes + (slot % lines) * 64
}

/**
 * What a cell's driver needs to know.
 *
 * @param offsetOf byte offset in the driver's view of one in the plan
 */
export function lapPlan(
  plan: RingPlan,
  spec: CellSpec,
  offsetOf: (offset: number, length: number) => number = (offset) => offset,
): LapPlan {
  const { ring, chains } = plan
  return {
    format: spec.ring,
    inOrder: spec.inOrder,
    queueSize: spec.queueSize,
    areas: {
      desc: offsetOf(plan.desc, ring.desc.length),
      driver: offsetOf(plan.driver, ring.driver.length),
      device: offsetOf(plan.device, ring.device.length),
    },
    chains,
    entries: headOf(spec, 1),
    descriptors: publishedDescriptors(plan, spec),
  }
}

/** Where the device writes used elements: over the descriptors of a packed ring, into the device area of a split one. */
export function usedArea(plan: RingPlan): { readonly offset: number; readonly length: number } {
  return plan.ring.format === 'packed'
    ? { offset: plan.desc, length: plan.ring.desc.length }
    : { offset: plan.device, length: plan.ring.device.length }
}

/** Ring entries from one chain to the next, times `chain`. */
function headOf(spec: CellSpec, chain: number): number {
  return spec.indirect ? chain : chain * spec.chainLength
}

/** {@link LapPlan.descriptors}. */
function publishedDescriptors(plan: RingPlan, spec: CellSpec): Uint32Array | null {
  const { frames, chains } = plan
  if (frames === null && spec.ring === 'split') return null
  const all =
    frames === null
      ? Array.from({ length: chains }, (_, chain) => ringEntries(plan, spec, chain))
      : frames.map((_, slot) => descriptor(GUEST_BASE + bufferOffset(plan, slot), plan.bufferBytes[slot]!, 0, 0))
  return Uint32Array.from(all.flatMap((words) => [...words]))
}

/** What stands in the ring for a chain: its descriptors, or the one of its indirect table. */
function ringEntries(plan: RingPlan, spec: CellSpec, chain: number): Uint32Array {
  if (!spec.indirect) return pieces(plan, spec, chain, headOf(spec, chain))
  const flags = VIRTQ_DESC_F_INDIRECT
  return descriptor(GUEST_BASE + tableOffset(plan, chain), DESC_BYTES * spec.chainLength, flags, 0, spec.ring)
}

/**
 * A chain's descriptors: the buffer in equal pieces, header and frame not told apart (VIRTIO_F_ANY_LAYOUT).
 *
 * @param first index of the first one in its table
 */
function pieces(plan: RingPlan, spec: CellSpec, chain: number, first: number): Uint32Array {
  const { chainLength, indirect, ring } = spec
  const slot = chain % plan.slotCount
  const address = GUEST_BASE + bufferOffset(plan, slot)
  const total = plan.bufferBytes[slot]!
  const piece = Math.ceil(total / chainLength)
  const words = new Uint32Array(4 * chainLength)
  for (let index = 0; index < chainLength; index++) {
    const last = index === chainLength - 1
    const from = Math.min(total, index * piece)
    const length = last ? total - from : Math.min(piece, total - from)
    // In a packed ring what follows is next, and a table has no flags (VirtIO 1.3 section 2.8.7).
    const flags = last || (indirect && ring === 'packed') ? 0 : VIRTQ_DESC_F_NEXT
    const next = last || ring === 'packed' ? 0 : first + index + 1
    words.set(descriptor(address + from, length, flags, next, ring), 4 * index)
  }
  return words
}

/** One descriptor; of a packed ring without its id. */
function descriptor(
  address: number,
  length: number,
  flags: number,
  next: number,
  ring: CellSpec['ring'] = 'split',
): Uint32Array {
  const last = ring === 'packed' ? flags << 16 : flags | (next << 16)
  return new Uint32Array([address >>> 0, Math.floor(address / 2 ** 32), length, last])
}

function tableOffset({ tables, tableBytes }: RingPlan, chain: number): number {
  return tables + chain * tableBytes
}

function asBytes(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer)
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit
}
