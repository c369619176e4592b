import {
  AccessCounters,
  type Accessor,
  CopyWindow,
  type Cpu,
  plainCpu,
  RingLease,
  UncheckedUser2019,
  type Window,
} from '@vring/accessor'
import {
  AREAS,
  type Area,
  EFAULT,
  featureSet,
  hasFeature,
  packedRingAreas,
  type RingAreas,
  splitRingAreas,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_RING_PACKED,
} from '@vring/layout'
import type { KernelMapping, MapRefusal, MemoryView, UserSpace } from '@vring/memory'
import { memoryView } from '@vring/memory'
import {
  ChainBatch,
  createDeviceQueue,
  createDriverQueue,
  type DeviceQueue,
  type DeviceQueueOptions,
  type DriverQueue,
} from '../src/index.ts'
import { WatchingCpu } from './watching-cpu.ts'

/** More than any test resolves: a loop without end stops here. */
const RESOLVE_LIMIT = 400_000

/** Addresses without a translation, and what asking for one gives. */
export interface Hole {
  readonly from: number
  readonly to: number
  readonly errno: number
}

/** A space that maps address to offset one to one, 1 MiB from address 0x1000: what ring logic needs, and no more. */
export class FlatSpace implements UserSpace {
  readonly view: MemoryView = memoryView(new ArrayBuffer(1 << 20))
  span = 0
  readonly limit: number = 0x7fff_ffff_f000
  readonly notifiers = { register: () => () => {} }
  /** Addresses from here fault; tests move it. */
  end = 1 << 20
  /** Addresses that can't be resolved now; tests make it. */
  hole: Hole | null = null
  /** A lease is held: nothing else may be reached. */
  held = false
  /** Holds so far. */
  holds = 0
  private resolved = 0

  resolve(address: number, length: number): number {
    if (this.held) throw new Error('an address is resolved inside a hold')
    if (++this.resolved > RESOLVE_LIMIT) throw new Error('a loop without end')
    const { hole } = this
    if (hole !== null && address < hole.to && hole.from < address + length) return hole.errno
    return address >= 0x1000 && length <= this.end - address ? address : EFAULT
  }

  resolveSpan(address: number, length: number): number {
    const at = this.resolve(address, 1)
    this.span = Math.min(length, this.end - address)
    return at
  }

  mapKernel(): KernelMapping | MapRefusal {
    return 'no-notifier'
  }
}

/** How the ring is reached: one loop of the ring each. */
export const WAYS = ['windows', 'lease'] as const
export type Way = (typeof WAYS)[number]

/** Everything a test of one queue needs. */
export interface FlatQueue {
  readonly space: FlatSpace
  readonly ring: RingAreas
  readonly device: DeviceQueue
  readonly driver: DriverQueue
  readonly batch: ChainBatch
  /** The driver's raw windows: for writing nonsense. */
  readonly raw: Readonly<Record<Area, Window>>
  /** Buffers may be placed from here. */
  readonly heap: number
  accessor(): Accessor
}

export interface FlatQueueOptions {
  readonly way?: Way
  readonly format?: 'split' | 'packed'
  readonly queueSize?: number
  /** What nearly all chains are. Default `readable`. */
  readonly kind?: 'readable' | 'writable'
  /** RING_PACKED follows from {@link format}. */
  readonly features?: bigint
  /** Split: the index that both sides start at. */
  readonly start?: number
  readonly cpu?: Cpu
  readonly device?: Partial<DeviceQueueOptions>
}

/** A queue in a {@link FlatSpace}, started. */
export function flatQueue(options: FlatQueueOptions = {}): FlatQueue {
  const { way = 'windows', format = 'split', queueSize = 8, start = 0 } = options
  const { cpu = plainCpu } = options
  const features = (options.features ?? 0n) | featureSet(...(format === 'packed' ? [VIRTIO_F_RING_PACKED] : []))
  const space = new FlatSpace()
  const eventIdx = hasFeature(features, VIRTIO_F_EVENT_IDX)
  const areas = format === 'split' ? splitRingAreas : packedRingAreas
  const after = 0x1000 + 16 * Math.max(queueSize, 8)
  const ring = areas(queueSize, eventIdx, 0x1000, after, after + 0x1000 + 4 * queueSize)
  const heap = 0x1_0000 + 64 * queueSize
  const accessor = (): Accessor => flatAccessor(space, ring, way, cpu)
  const driver = createDriverQueue({ ring, memory: space, features, pinned: true })
  if (format === 'split') {
    Object.assign(driver, { availIdx: start, lastUsed: start, published: start })
    driver.windows.driver.store16Release(2, start)
    driver.windows.device.store16Release(2, start)
  }
  const device = createDeviceQueue({ accessor: accessor(), cpu, ring, features, buffers: space, ...options.device })
  device.start(format === 'split' ? start : driver.base)
  return { space, ring, device, driver, batch: new ChainBatch(64, options.kind), raw: driver.windows, heap, accessor }
}

function flatAccessor(space: FlatSpace, ring: RingAreas, way: Way, cpu: Cpu): Accessor {
  const user = new UncheckedUser2019(cpu, space)
  const counters = new AccessCounters()
  // Views of their own for each hold show one that is used after it.
  let { view } = space
  const hold = (lease: RingLease): boolean => {
    if (AREAS.some((area) => space.resolve(ring[area].address, ring[area].length) < 0)) return false
    if (cpu instanceof WatchingCpu) view = memoryView(space.view.buffer)
    for (const area of AREAS) lease.place(area, view, ring[area].address)
    space.held = true
    space.holds++
    return true
  }
  const drop = (): void => {
    if (!space.held) throw new Error('nothing is held')
    space.held = false
    if (cpu instanceof WatchingCpu) cpu.retired.add(view.u16).add(view.u32)
  }
  return {
    name: 'test',
    desc: new CopyWindow(user, ring.desc),
    driver: new CopyWindow(user, ring.driver),
    device: new CopyWindow(user, ring.device),
    lease: way === 'lease' ? new RingLease({ hold, drop }, counters) : null,
    beginRound: () => 'ready',
    endRound: () => {},
    counters,
    close: () => {},
  }
}
