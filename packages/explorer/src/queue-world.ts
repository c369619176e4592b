import { type Accessor, type AccessorContext, UncheckedUser618 } from '@vring/accessor'
import { featureSet, packedRingAreas, type RingAreas, splitRingAreas, VIRTIO_F_RING_PACKED } from '@vring/layout'
import { type AddressMap, PAGE_BYTES } from '@vring/memory'
import { createSync, type SyncName } from '@vring/mmu-notifier'
import { createDeviceQueue, type DeviceQueue, type DeviceQueueOptions } from '@vring/virtqueue'
import { type ExploredSpace, userOffset } from './explored-space.ts'
import type { ExploredWorld } from './explored-world.ts'
import { BarrierlessCpu, ExploringCpu } from './exploring-cpu.ts'
import { ExploringPort } from './exploring-port.ts'
import type { MappedAccessor, MappedAccessorClass, MappedAccessorParts, SyncFactory } from './mapped-accessor.ts'
import { ModelSpace, type ModelSpaceOptions } from './model-space.ts'

/** Page of each area of the ring under test, and one of another process's. */
export const DESC_PAGE = 1
export const AVAIL_PAGE = 2
export const USED_PAGE = 3
export const OTHER_PAGE = 4

/** An accessor over mappings that the notifier takes away, of the given parts. */
export interface MappedChoice {
  readonly parts: MappedAccessorParts
  /** A shipped strategy by name, or a faulty variant of one. */
  readonly sync: SyncName | SyncFactory
  /** Makes a faulty subclass of the accessor's class; default: the class itself. */
  readonly variant?: (Direct: MappedAccessorClass) => MappedAccessorClass
}

/** An accessor of any kind. */
export interface AccessorChoice {
  /**
   * Makes the accessor; `context.port` is the explorer's. What it keeps between two steps must go through that port, in
   * shared memory or in fields that `SharedFields` follows: the explorer takes steps back.
   */
  readonly create: (context: AccessorContext, world: ExploredWorld, port: ExploringPort) => Accessor
  /** Classes whose instances are equal when their fields are; default none. */
  readonly structural?: readonly unknown[]
}

/** What a queue's world differs in beside its accessor. */
export interface RingOptions {
  readonly dropAcquire?: boolean
  /** The device, not its driver, has no full barrier. */
  readonly dropBarrier?: boolean
  /** Makes the device side of the ring; default: the one that ships. */
  readonly device?: (options: DeviceQueueOptions) => DeviceQueue
  /** Map everything before the threads start; default true. */
  readonly mapped?: boolean
  /** Default: pages 1, 2 and 3. */
  readonly ring?: RingAreas
}

/** Which accessor is explored, and what its queue's world differs in. */
export type RingWorldOptions = (MappedChoice | AccessorChoice) & RingOptions

/** What a queue over the small address space differs in beside its accessor. */
export interface QueueOptions extends RingOptions {
  readonly space?: Partial<ModelSpaceOptions>
  /** Another queue of the same device, whose address space this one shares. */
  readonly beside?: QueueWorld
}

/** {@link RingWorldOptions} over the small address space. */
export type QueueWorldOptions = (MappedChoice | AccessorChoice) & QueueOptions

/** One queue of two entries over an explored address space, served by the accessor that ships. */
export class RingWorld<S extends ExploredSpace> {
  readonly world: ExploredWorld
  readonly space: S
  readonly cpu: ExploringCpu
  /** The port of the device's ring code. */
  readonly deviceCpu: ExploringCpu
  readonly port: ExploringPort
  readonly ring: RingAreas
  readonly accessor: MappedAccessor
  /** Where indirect tables are: memory of the same address space, reached through its page tables. */
  readonly buffers: AddressMap
  readonly #createDevice: (options: DeviceQueueOptions) => DeviceQueue

  constructor(world: ExploredWorld, port: ExploringPort, space: S, options: RingWorldOptions) {
    this.world = world
    this.space = space
    this.ring = options.ring ?? ringAt(DESC_PAGE, AVAIL_PAGE, USED_PAGE)
    this.cpu = new ExploringCpu(world, space, options.dropAcquire, this.ring.format)
    this.deviceCpu =
      options.dropBarrier === true ? new BarrierlessCpu(world, space, options.dropAcquire, this.ring.format) : this.cpu
    this.port = port
    const { view } = space
    this.buffers = { view, span: 0, resolve: userOffset, resolveSpan: userOffset }
    this.#createDevice = options.device ?? createDeviceQueue
    this.accessor = this.#createAccessor(options)
    if (options.mapped !== false) this.round(() => {})
  }

  #createAccessor(options: RingWorldOptions): MappedAccessor {
    const { cpu, space, ring, port, world } = this
    const context = { cpu, space, ring, iotlb: null, port }
    // Scenarios for any accessor ask for nothing that others have not.
    if ('create' in options) return options.create(context, world, port) as MappedAccessor
    const { parts, sync, variant } = options
    const Class = variant === undefined ? parts.DirectAccessor : variant(parts.DirectAccessor)
    return new Class(context, {
      name: 'vmap-direct',
      mapping: 'vmap',
      user: new UncheckedUser618(cpu, space),
      port,
      sync: typeof sync === 'string' ? (syncPort, slots) => createSync(sync, syncPort, slots) : sync,
    })
  }

  /**
   * The device side of the ring. It keeps state of its own, so each run of a thread makes another.
   *
   * @param negotiated features; RING_PACKED follows from the ring's format
   */
  createDevice(negotiated: bigint): DeviceQueue {
    const { accessor, deviceCpu: cpu, ring, buffers } = this
    const features = negotiated | featureSet(...(ring.format === 'packed' ? [VIRTIO_F_RING_PACKED] : []))
    return this.#createDevice({ accessor, cpu, ring, features, buffers })
  }

  /** A round of the datapath. */
  round(work: () => void): void {
    this.accessor.beginRound()
    work()
    this.accessor.endRound()
  }

  /** The smallest work of a round: one access that reads and one that writes. */
  readonly readAndWrite = (): void => {
    this.accessor.driver.load16(2)
    this.accessor.device.store16(2, 1)
  }

  /** Only an access that writes. */
  readonly write = (): void => {
    this.accessor.device.store16(2, 1)
  }

  /** A user access of the driver, through its own page tables. */
  user(page: number, offset: number): number {
    return userOffset(page * PAGE_BYTES + offset)
  }

  /** With every invalidation over, a round must be able to map again. */
  checkFastPath(): void {
    const { accessor, port } = this
    this.space.faultAll()
    this.round(() => {})
    for (const window of [accessor.desc, accessor.driver, accessor.device])
      if (window.slot !== undefined && port.load(window.slot.map) === null)
        this.world.fail('fast-path-off', `${window.area} is not mapped although no invalidation is open`)
  }

  /** After `close` of the accessor nothing is held, registered or lost. */
  checkClosed(): void {
    this.accessor.close()
    this.space.checkAllReleased()
  }
}

/** One queue over the small address space. */
export class QueueWorld extends RingWorld<ModelSpace> {
  constructor(world: ExploredWorld, options: QueueWorldOptions) {
    const pages = [DESC_PAGE, AVAIL_PAGE, USED_PAGE, OTHER_PAGE]
    const space = options.beside?.space ?? new ModelSpace(world, { pages, ...options.space })
    super(world, new ExploringPort(world), space, options)
  }
}

/** Classes whose instances are equal when their fields are, of an explored accessor. */
export function structuralOf(options: MappedChoice | AccessorChoice): readonly unknown[] {
  return 'create' in options ? (options.structural ?? []) : [options.parts.DirectMap]
}

/** A ring of two entries with each area at the beginning of a page. */
export function ringAt(desc: number, driver: number, device: number): RingAreas {
  return splitRingAreas(2, false, desc * PAGE_BYTES, driver * PAGE_BYTES, device * PAGE_BYTES)
}

/** The same of a packed ring. */
export function packedRingAt(desc: number, driver: number, device: number): RingAreas {
  return packedRingAreas(2, false, desc * PAGE_BYTES, driver * PAGE_BYTES, device * PAGE_BYTES)
}
