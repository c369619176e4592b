import { type Accessor, type Cpu, plainCpu } from '@vring/accessor'
import { ACCESS_WRITE, type AccessControl } from '@vring/memory'
import type { Registry } from '@vring/registry'
import { type NetBackend, TxRound } from '@vring/vhost-net'
import { createDeviceQueue, type DeviceQueue } from '@vring/virtqueue'
import { createBackend } from '../cell/backend-choice.ts'
import type { CellSpec } from '../cell/cell-spec.ts'
import { backendCounts, countsBetween } from '../in-process/backend-counts.ts'
import { createLapDriver } from '../in-process/create-lap-driver.ts'
import { createDriverMemory, type DriverMemory } from '../in-process/driver-memory.ts'
import { Invalidator } from '../in-process/invalidator.ts'
import type { LapDriver } from '../in-process/lap-driver.ts'
import { type LapState, lapState } from '../in-process/lap-state.ts'
import type { Rig } from '../in-process/rig.ts'
import {
  cellFeatures,
  FIRST_BASE,
  lapPlan,
  planRing,
  type RingPlan,
  usedArea,
  writeRing,
} from '../in-process/ring-layout.ts'

/** What distinguishes one rig of a cell from another: timing, counting, verifying. */
export interface InprocOptions {
  readonly seed: number
  /** `udp` (default): one kind of frame, as a generator sends; `mixed`: every kind that a parser tells apart. */
  readonly kinds?: 'udp' | 'mixed'
  /** The port of metadata accesses. Default {@link plainCpu}. */
  readonly cpu?: Cpu
  /** The port of payload copies. Default `cpu`. */
  readonly payloadCpu?: Cpu
  /** Whose AC flag guards supervisor accesses. Default: a machine without SMAP. */
  readonly smap?: AccessControl
  /** Puts something around the backend. */
  readonly wrapBackend?: (backend: NetBackend) => NetBackend
  /** `none`: the ring of 2019, without a mask on indices. Default `mask`. */
  readonly nospec?: 'mask' | 'none'
  /** Told of every notification of the driver. */
  readonly notify?: () => void
}

/**
 * Driver and device in turn in one thread, over one address space of the page-table model. The device is everything
 * that serves a real driver: accessor, device queue, transmit round, backend. The driver is a {@link LapDriver}.
 */
export class InprocRig implements Rig {
  readonly plan: RingPlan
  readonly memory: DriverMemory
  readonly queue: DeviceQueue
  private readonly spec: CellSpec
  private readonly accessor: Accessor
  private readonly backend: NetBackend
  private readonly round: TxRound
  private readonly driver: LapDriver
  private readonly invalidator: Invalidator | null
  private counted: Record<string, number>

  constructor(spec: CellSpec, registry: Registry, options: InprocOptions) {
    const { seed, kinds = 'udp', cpu = plainCpu, nospec = 'mask', wrapBackend, notify } = options
    this.spec = spec
    this.plan = planRing(spec)
    this.memory = createDriverMemory(spec, this.plan, options.smap ?? null)
    const { space, buffers, iotlb } = this.memory
    writeRing(this.plan, spec, seed, kinds, this.memory.poke)
    const features = cellFeatures(spec)
    const { ring } = this.plan
    this.accessor = registry.accessor(spec.accessor).create({ cpu, space, ring, iotlb }, spec.options)
    this.queue = createDeviceQueue({ accessor: this.accessor, cpu, ring, features, buffers, nospec })
    const backend = createBackend(registry, spec.backend)
    this.backend = backend
    this.round = new TxRound({
      queue: this.queue,
      buffers,
      backend: wrapBackend?.(backend) ?? backend,
      cpu: options.payloadCpu ?? cpu,
      features,
      payload: spec.payload,
      ...(notify === undefined ? { notification: 'poll' as const } : { notify }),
    })
    this.counted = backendCounts(backend)
    this.driver = createLapDriver(
      lapPlan(this.plan, spec, (offset, length) => this.areaOffset(offset, length)),
      space.view,
    )
    this.invalidator =
      spec.invalidations === 0
        ? null
        : new Invalidator(space.notifiers, this.memory.base, this.plan.slots, spec.invalidations)
    this.accessor.beginRound()
    const status = this.queue.start(FIRST_BASE[spec.ring])
    this.accessor.endRound()
    if (status < 0) throw new Error(`${spec.id}: the queue does not start: ${this.queue.broken}`)
  }

  run(packets: number): void {
    const { batch } = this.spec
    const driver = this.driver
    const round = this.round
    const invalidator = this.invalidator
    for (let left = packets; left > 0; ) {
      const count = Math.min(batch, left)
      if (invalidator !== null) invalidator.fireIfDue()
      driver.publish(count)
      let done = round.run()
      // One round takes 256 packets or 512 KiB: a batch beyond that needs more of them.
      while (done < count) {
        const more = round.run()
        if (more === 0)
          throw new Error(`${this.spec.id}: ${done} of ${count} packets, then ${round.end} ${this.queue.broken ?? ''}`)
        done += more
      }
      const returned = driver.reclaim()
      if (returned !== count) throw new Error(`${this.spec.id}: ${returned} of ${count} packets came back`)
      left -= count
    }
  }

  lapState(laps: number): LapState {
    const now = backendCounts(this.backend)
    const counts = countsBetween(this.counted, now)
    const { idSum } = this.driver
    this.counted = now
    this.driver.idSum = 0
    const { offset, length } = usedArea(this.plan)
    return lapState(this.memory.peek(offset, length), counts, idSum, laps)
  }

  accesses(): Record<string, number> {
    return this.accessor.counters.snapshot()
  }

  /** Accesses so far, whatever their mode. */
  accessCount(): number {
    return Object.values(this.accesses()).reduce((sum, count) => sum + count, 0)
  }

  close(): void {
    this.accessor.close()
    this.backend.close()
  }

  /** Where an area is in the view: the driver writes it flat, so its frames have to be neighbours. */
  private areaOffset(offset: number, length: number): number {
    const at = this.memory.space.userMode.resolve(this.memory.base + offset, length, ACCESS_WRITE)
    if (at < 0) throw new Error(`${this.spec.id}: a ring area is not in one piece`)
    return at
  }
}
