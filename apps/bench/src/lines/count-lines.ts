import { NET_HDR_MRG_BYTES } from '@vring/layout'
import { MappedSpace, memoryView } from '@vring/memory'
import type { Registry } from '@vring/registry'
import { type FrameBatch, type NetBackend, type NetBackendCounters, TxRound } from '@vring/vhost-net'
import { createDeviceQueue } from '@vring/virtqueue'
import { createBackend } from '../cell/backend-choice.ts'
import type { CellSpec } from '../cell/cell-spec.ts'
import { bufferMap } from '../in-process/driver-memory.ts'
import {
  cellFeatures,
  FIRST_BASE,
  GUEST_BASE,
  planRing,
  type RingPlan,
  USER_BASE,
  writeRing,
} from '../in-process/ring-layout.ts'
import { seededRandom } from '../stats/index.ts'
import type { Recycling } from './line-buffers.ts'
import { DEVICE, LINE_AREAS, LINE_BYTES, type LineArea, LineCache, type LineMoves } from './line-cache.ts'
import { LineCpu } from './line-cpu.ts'
import { PackedLineDriver } from './packed-line-driver.ts'
import { SplitLineDriver } from './split-line-driver.ts'

/** What a driver does that lines depend on. */
export interface LineConditions {
  /** Buffers that it publishes at once. */
  readonly batch: number
  readonly recycling: Recycling
  /** Does it write descriptors and frames each time? */
  readonly rewrites: boolean
}

/** testpmd: bursts of 32 frames, descriptors walked in the order of the ring, all of it written each time. */
export const TESTPMD_LINES: LineConditions = { batch: 32, recycling: 'fifo', rewrites: true }

/** Moves of lines per packet, by area. */
export type PacketLines = Readonly<Record<LineArea, LineMoves>>

/** Bytes of each frame that a program reads: Ethernet and IPv4 header; what a backend without one reads is none. */
const READ_BYTES: Readonly<Record<string, number>> = { drop: 0, xdp1: 34, xdp2: 34 }
/** xdp2 writes the Ethernet addresses. */
const WRITTEN_BYTES: Readonly<Record<string, number>> = { xdp2: 12 }

/** Where a buffer begins in its slot: the header ends where a line does, as the headroom of an mbuf has it. */
const HEADER_AT = LINE_BYTES - NET_HDR_MRG_BYTES
const WARM_UP_BATCHES = 64
const BATCHES = 256

/**
 * Counts which cache lines move between driver and device for each packet. The device is the real datapath (accessor,
 * queue, transmit round) under a port that says what it touches. The driver is one that says so too (a `LineDriver`).
 * They take turns, a batch each.
 *
 * @returns null for a backend that reads frames where no port is
 */
export function countLines(spec: CellSpec, registry: Registry, conditions: LineConditions): PacketLines | null {
  const reads = READ_BYTES[spec.backend]
  if (reads === undefined || spec.input !== null || spec.chainLength > 1 || spec.indirect) return null
  const batch = Math.min(conditions.batch, spec.queueSize)
  const plan = planRing({ ...spec, batch })
  const view = memoryView(new SharedArrayBuffer(plan.bytes))
  const cache = new LineCache(plan.bytes)
  const space = new MappedSpace([{ address: USER_BASE, length: plan.bytes, view, viewOffset: 0 }])
  writeRing(plan, spec, 1, 'udp', (offset, bytes) => view.u8.set(bytes, offset))
  const { buffers, iotlb } = bufferMap(spec, plan, space)
  const cpu = new LineCpu(view, (offset, length, write) => {
    // Line by line: a copy goes from the header into the frame.
    const end = offset + length
    for (let at = offset; at < end; at = (at | (LINE_BYTES - 1)) + 1)
      cache.touch(DEVICE, areaOf(plan, at), at, Math.min(end, (at | (LINE_BYTES - 1)) + 1) - at, write)
  })
  const { ring } = plan
  const features = cellFeatures(spec)
  const accessor = registry.accessor(spec.accessor).create({ cpu, space, ring, iotlb }, spec.options)
  const queue = createDeviceQueue({ accessor, cpu, ring, features, buffers })
  const inner = createBackend(registry, spec.backend)
  const written = WRITTEN_BYTES[spec.backend] ?? 0
  // A copy that was made is the device's own, whatever reads it.
  const shared = (frames: FrameBatch): boolean => frames.view.u8.buffer === view.u8.buffer
  const backend = new ReadingBackend(inner, (frames) => {
    if (!shared(frames) || reads === 0) return
    for (let i = 0; i < frames.count; i++) {
      const frame = frames.offset[i]! + frames.headerBytes
      cache.touch(DEVICE, 'frame', frame, Math.min(reads, frames.length[i]! - frames.headerBytes), false)
      if (written > 0) cache.touch(DEVICE, 'frame', frame, written, true)
    }
  })
  const round = new TxRound({ queue, buffers, backend, cpu, features, payload: spec.payload, notification: 'poll' })
  const LineDriver = spec.ring === 'packed' ? PackedLineDriver : SplitLineDriver
  const driver = new LineDriver({
    ...{ view, cache, areas: plan, queueSize: spec.queueSize, inOrder: spec.inOrder },
    header: (chain) => plan.slots + (chain % plan.slotCount) * plan.slotBytes + HEADER_AT,
    headerBytes: NET_HDR_MRG_BYTES,
    guestBase: GUEST_BASE,
    bufferBytes: plan.bufferBytes[0]!,
    recycling: conditions.recycling,
    rewrites: conditions.rewrites,
    random: seededRandom(1),
  })
  try {
    accessor.beginRound()
    const status = queue.start(FIRST_BASE[spec.ring])
    accessor.endRound()
    if (status < 0) throw new Error(`${spec.id}: the queue does not start: ${queue.broken}`)
    const run = (batches: number): void => {
      for (let i = 0; i < batches; i++) {
        driver.publish(batch)
        for (let done = 0; done < batch; ) {
          const taken = round.run()
          if (taken === 0) throw new Error(`${spec.id}: ${done} of ${batch} packets, then ${queue.broken ?? 'none'}`)
          done += taken
        }
        driver.reclaim()
      }
    }
    run(WARM_UP_BATCHES)
    cache.reset()
    run(BATCHES)
    return perPacket(cache, BATCHES * batch)
  } finally {
    accessor.close()
    inner.close()
  }
}

/** Lines that move per packet, both ways: what a round trip of the two cores is paid for. */
export function movedLines(lines: PacketLines): number {
  return LINE_AREAS.reduce((sum, area) => sum + lines[area].toDevice + lines[area].toDriver, 0)
}

function perPacket(cache: LineCache, packets: number): PacketLines {
  return Object.fromEntries(
    LINE_AREAS.map((area) => {
      const { toDevice, toDriver, upgrades } = cache.moves[area]
      return [area, { toDevice: toDevice / packets, toDriver: toDriver / packets, upgrades: upgrades / packets }]
    }),
  ) as Record<LineArea, LineMoves>
}

/** Which area a byte of the driver's memory belongs to. */
function areaOf({ driver, device, slots, slotBytes }: RingPlan, offset: number): LineArea {
  if (offset < driver) return 'desc'
  if (offset < device) return 'driver'
  if (offset < slots) return 'device'
  return (offset - slots) % slotBytes < HEADER_AT + NET_HDR_MRG_BYTES ? 'header' : 'frame'
}

/** Tells which frames a backend gets, before it gets them. */
class ReadingBackend implements NetBackend {
  readonly name: string
  readonly #inner: NetBackend
  readonly #read: (frames: FrameBatch) => void

  constructor(inner: NetBackend, read: (frames: FrameBatch) => void) {
    this.name = inner.name
    this.#inner = inner
    this.#read = read
  }

  get counters(): NetBackendCounters {
    return this.#inner.counters
  }

  transmit(frames: FrameBatch): number {
    this.#read(frames)
    return this.#inner.transmit(frames)
  }

  flush(): void {
    this.#inner.flush()
  }

  close(): void {
    this.#inner.close()
  }
}
