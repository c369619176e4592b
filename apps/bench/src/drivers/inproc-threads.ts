import { Worker } from 'node:worker_threads'
import { type Accessor, type Cpu, plainCpu } from '@vring/accessor'
import { startThread } from '@vring/linux'
import { MappedSpace, memoryView } from '@vring/memory'
import type { Registry } from '@vring/registry'
import { NET_BATCH, type NetBackend, TxRound } from '@vring/vhost-net'
import { createDeviceQueue, type DeviceQueue } from '@vring/virtqueue'
import { createBackend } from '../cell/backend-choice.ts'
import type { CellSpec } from '../cell/cell-spec.ts'
import { backendCounts, countsBetween } from '../in-process/backend-counts.ts'
import { bufferMap } from '../in-process/driver-memory.ts'
import type { DriverThreadData } from '../in-process/driver-thread.ts'
import { type LapState, lapState } from '../in-process/lap-state.ts'
import type { Rig } from '../in-process/rig.ts'
import {
  cellFeatures,
  FIRST_BASE,
  lapPlan,
  planRing,
  USER_BASE,
  usedArea,
  writeRing,
} from '../in-process/ring-layout.ts'
import type { Cores } from '../placement/core-watch.ts'
import { tryPin } from '../placement/try-pin.ts'
import {
  CONTROL_BYTES,
  DRIVER_BUDGET,
  DRIVER_READY,
  DRIVER_RETURNED,
  DRIVER_STOP,
  ID_SUM_OFFSET,
} from './thread-control.ts'

/** How long the other side may take, in ms, before the rig gives up. */
const PATIENCE_MS = 10_000
/** How long an empty ring is left alone: the default of VhostUserWorker. */
const PAUSE_MS = 0.003

/**
 * Driver and device in two threads over shared memory, mapped as a real driver's is: what crosses between two CPUs is what
 * crosses there. The device is this thread.
 */
export class ThreadsRig implements Rig {
  private readonly spec: CellSpec
  private readonly used: Uint8Array
  private readonly words: Int32Array
  private readonly idSum: Float64Array
  private readonly accessor: Accessor
  private readonly backend: NetBackend
  private readonly round: TxRound
  private readonly queue: DeviceQueue
  private counted: Record<string, number>
  private summed = 0
  /** Packets that the runs so far had to move; it wraps. */
  private wanted = 0
  /** Packets that the device has taken ahead of the next run. */
  private taken = 0

  /** Starts the driver's thread; {@link ready} says when it runs. */
  constructor(
    spec: CellSpec,
    registry: Registry,
    seed: number,
    { cpu = plainCpu, cores = null }: { readonly cpu?: Cpu; readonly cores?: Cores | null } = {},
  ) {
    this.spec = spec
    const plan = planRing(spec)
    const memory = new SharedArrayBuffer(plan.bytes)
    const control = new SharedArrayBuffer(CONTROL_BYTES)
    const view = memoryView(memory)
    const space = new MappedSpace([{ address: USER_BASE, length: plan.bytes, view, viewOffset: 0 }])
    writeRing(plan, spec, seed, 'udp', (offset, bytes) => view.u8.set(bytes, offset))
    const { buffers, iotlb } = bufferMap(spec, plan, space)
    const features = cellFeatures(spec)
    const { ring } = plan
    const { offset, length } = usedArea(plan)
    this.used = view.u8.subarray(offset, offset + length)
    this.words = new Int32Array(control)
    this.idSum = new Float64Array(control, ID_SUM_OFFSET, 1)
    this.accessor = registry.accessor(spec.accessor).create({ cpu, space, ring, iotlb }, spec.options)
    this.queue = createDeviceQueue({ accessor: this.accessor, cpu, ring, features, buffers })
    this.backend = createBackend(registry, spec.backend)
    this.counted = backendCounts(this.backend)
    this.round = new TxRound({
      queue: this.queue,
      buffers,
      backend: this.backend,
      cpu,
      features,
      payload: spec.payload,
      notification: 'poll',
    })
    this.accessor.beginRound()
    const status = this.queue.start(FIRST_BASE[spec.ring])
    this.accessor.endRound()
    if (status < 0) throw new Error(`${spec.id}: the queue does not start: ${this.queue.broken}`)
    const data: DriverThreadData = {
      memory,
      control,
      cpu: cores?.[0] ?? null,
      batch: spec.batch,
      driver: lapPlan(plan, spec),
    }
    if (cores !== null) tryPin(cores[1])
    startDriver(data)
  }

  /** Resolves when the driver's thread runs. */
  async ready(): Promise<void> {
    const end = performance.now() + PATIENCE_MS
    while (Atomics.load(this.words, DRIVER_READY) === 0) {
      if (performance.now() > end) throw new Error(`${this.spec.id}: the driver's thread did not start`)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }

  run(packets: number, ahead = 0): void {
    const round = this.round
    this.wanted = (this.wanted + packets) | 0
    Atomics.store(this.words, DRIVER_BUDGET, (this.wanted + ahead) | 0)
    let done = this.taken
    let idle = 0
    while (done < packets) {
      const taken = round.run()
      done += taken
      if (taken > 0) idle = 0
      if (taken >= NET_BATCH) continue
      if (this.queue.broken !== null) throw new Error(`${this.spec.id}: the queue broke: ${this.queue.broken}`)
      if ((++idle & 0xfffff) === 0) this.checkPatience(idle)
      pause()
    }
    this.taken = done - packets
    if (ahead > 0) return
    // What was used last is on its way back: a lap is over when the driver has all of it.
    idle = 0
    while (Atomics.load(this.words, DRIVER_RETURNED) !== this.wanted)
      if ((++idle & 0xfffff) === 0) this.checkPatience(idle)
  }

  lapState(laps: number): LapState {
    const now = backendCounts(this.backend)
    const idSum = this.idSum[0]! - this.summed
    this.summed = this.idSum[0]!
    const counts = countsBetween(this.counted, now)
    this.counted = now
    // In order the device writes the last element of each batch that it finds, and what it finds is a matter of time.
    return lapState(this.spec.inOrder ? null : this.used, counts, idSum, laps)
  }

  accesses(): Record<string, number> {
    return this.accessor.counters.snapshot()
  }

  close(): void {
    Atomics.store(this.words, DRIVER_STOP, 1)
    this.accessor.close()
    this.backend.close()
  }

  /** Spinning is quick: a thousand million looks are about ten seconds. */
  private checkPatience(looks: number): void {
    if (looks > 1_000_000_000) throw new Error(`${this.spec.id}: the driver's thread stopped answering`)
  }
}

/** As the worker of vhost-user between two looks at an empty ring: each takes the driver's cache line away. */
function pause(): void {
  const end = performance.now() + PAUSE_MS
  while (performance.now() < end);
}

function startDriver(workerData: DriverThreadData): void {
  const source = import.meta.url.endsWith('.ts')
  const entry = new URL(source ? '../in-process/driver-thread.ts' : './driver-thread.js', import.meta.url)
  // It does not keep the process alive.
  startThread(Worker, entry, { workerData }).unref()
}
