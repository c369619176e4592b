import type { Accessor, AccessorOptions, AccessorPlugin, Cpu } from '@vring/accessor'
import { IotlbBufferMap } from '@vring/iotlb'
import { EAGAIN, VringError } from '@vring/layout'
import { DropBackend, type FrameSource, type NetBackend, type Payload, RxRound, TxRound } from '@vring/vhost-net'
import { migrationLog, packedBase, ringLog, type StartedVring } from '@vring/vhost-user'
import { createDeviceQueue, type DeviceQueue } from '@vring/virtqueue'
import type { NetQueueReport } from './net-queue-report.ts'

/** What serves a ring: the same for all rings of a device. */
export interface NetQueueOptions {
  readonly plugin: AccessorPlugin
  readonly options: AccessorOptions
  readonly cpu: Cpu
  readonly payload: Payload
}

/** Where the frames of a transmit ring go, or where those of a receive ring come from; null: a ring that is held. */
export type QueueEnd = { readonly backend: NetBackend } | { readonly source: FrameSource | null }

/** A running ring of a network device: an accessor, a device queue, and its round. */
export class NetQueue {
  readonly accessor: Accessor
  readonly queue: DeviceQueue
  /**
   * Runs while the ring is enabled, and while it is not: a disabled TX ring drops, a disabled RX ring holds. Null:
   * neither does, as a TX ring is not {@link live} yet.
   */
  private readonly enabledRound: TxRound | RxRound | null
  private readonly source: FrameSource | null
  private readonly backend: NetBackend | null
  private readonly disabledRound: TxRound | null
  /** Where the frames of a ring go that is not enabled. */
  private readonly disabled = new DropBackend()
  private readonly signalError: (reason: string) => void
  private round: TxRound | RxRound | null = null
  /** It was enabled, or its driver has kicked: what a TX ring has is dropped while it is disabled. */
  private live = false
  private readonly kicked: () => boolean
  private errorSignalled = false
  /** Where to start. */
  private readonly base: number
  private readonly note: (line: string) => void
  private started = false

  /**
   * @throws VringError ERR_INVALID_STATE when the ring can't be read
   */
  constructor(vring: StartedVring, end: QueueEnd, options: NetQueueOptions) {
    const { plugin, cpu, payload } = options
    const { ring, features, memory, iotlb, notify } = vring
    const buffers = iotlb === null ? memory.buffers : new IotlbBufferMap(iotlb, memory.space)
    this.accessor = plugin.create({ cpu, space: memory.space, ring, iotlb }, options.options)
    this.queue = createDeviceQueue({
      accessor: this.accessor,
      cpu,
      ring,
      features,
      buffers,
      log: ringLog(vring),
    })
    this.signalError = vring.signalError
    const common = { queue: this.queue, buffers, cpu, features, notify, notification: 'poll' as const }
    this.source = 'source' in end ? end.source : null
    this.backend = 'backend' in end ? end.backend : null
    if ('backend' in end) this.enabledRound = new TxRound({ ...common, backend: end.backend, payload })
    else if (end.source === null) this.enabledRound = null
    else this.enabledRound = new RxRound({ ...common, source: end.source, log: migrationLog(vring) })
    this.disabledRound =
      this.enabledRound instanceof TxRound ? new TxRound({ ...common, backend: this.disabled, payload }) : null
    this.kicked = vring.kicked
    this.base = vring.base
    this.note = vring.note
    const status = this.start()
    // What a translation or a view is missing for is started by a later round.
    if (status < 0 && status !== EAGAIN) {
      this.accessor.close()
      throw new VringError('ERR_INVALID_STATE', `queue ${vring.index} can't be started: ${this.queue.broken}`, {
        field: 'ring',
      })
    }
  }

  setEnabled(enabled: boolean): void {
    this.live ||= enabled
    this.round = enabled ? this.enabledRound : this.live ? this.disabledRound : null
    const { round, source } = this
    const deliver = (): void => {
      if (this.started) round?.runWithin()
    }
    source?.connect?.(round === null ? null : deliver)
  }

  /**
   * A disabled TX ring whose driver has not kicked holds what is in it. A frontend may go on with a ring that another
   * backend left. It may start the ring first and enable it then. @returns 0, packets done
   */
  private hold(): number {
    if (this.disabledRound !== null && this.kicked()) {
      this.live = true
      this.round = this.disabledRound
    }
    return 0
  }

  /** One round; packets done. */
  serve(): number {
    const round = this.round
    if (round === null) return this.hold()
    const packets = this.started || this.start() === 0 ? round.run() : 0
    if (packets === 0 && this.backend?.unsent === true) this.backend.flush()
    if (this.queue.broken !== null && !this.errorSignalled) {
      this.errorSignalled = true
      this.signalError(this.queue.broken)
    }
    return packets
  }

  /**
   * What wakes this queue beside kicks: its source while the driver has room for frames, else -1. A source whose frames
   * can't be taken would wake the loop again and again.
   */
  get wakeFd(): number {
    const { round, source } = this
    if (source === null || round === null || !this.started) return -1
    return round.end === 'empty' || round.end === 'budget' ? (source.wakeFd ?? -1) : -1
  }

  /**
   * The backend is full, or has frames that it can't send: time brings this queue on, or {@link roomFd}. What the driver
   * does, does not.
   */
  get stalled(): boolean {
    const { round, backend } = this
    return backend !== null && (round?.end === 'backpressure' || backend.unsent === true)
  }

  /** What wakes this queue by being writable: its backend while it is {@link stalled}, else -1. */
  get roomFd(): number {
    return this.stalled ? (this.backend!.roomFd ?? -1) : -1
  }

  /** Asks for kicks; true: there is work, do not sleep. */
  arm(): boolean {
    const { round } = this
    if (round === null || !this.started) return false
    // A receive queue waits for its source; the driver's buffers matter when frames found none.
    if (this.source !== null && round.end !== 'no-buffers') return false
    // The backend's room wakes the loop. More frames of the driver would find as little.
    if (round.end === 'backpressure') return false
    if (this.accessor.beginRound() === 'miss') {
      this.accessor.endRound()
      return false
    }
    const more = this.queue.enableNotification() > 0
    this.accessor.endRound()
    // A ring that broke just now is served again: that tells the frontend.
    return more || (this.queue.broken !== null && !this.errorSignalled)
  }

  /** What this queue has done since it was started. */
  report(index: number): NetQueueReport {
    const round = this.enabledRound
    const { broken } = this.queue
    const common = { index, broken, accesses: this.accessor.counters.snapshot() }
    if (round instanceof RxRound) {
      const { frames, bytes, truncated } = round
      return { ...common, delivered: { frames, bytes }, dropped: truncated > 0 ? { truncated } : {} }
    }
    const disabled = this.disabled.counters.txFrames
    const oversize = (round?.oversize ?? 0) + (this.disabledRound?.oversize ?? 0)
    const short = (round?.short ?? 0) + (this.disabledRound?.short ?? 0)
    const reasons = Object.entries({ oversize, short, disabled }).filter(([, frames]) => frames > 0)
    return { ...common, delivered: null, dropped: Object.fromEntries(reasons) }
  }

  /** Gives everything back; where the ring stopped. */
  close(): number {
    this.source?.connect?.(null)
    this.accessor.close()
    this.backend?.forgetMemory?.()
    return this.started ? this.queue.base : this.base
  }

  /**
   * Starts where the frontend says, unless the ring says otherwise. This device uses chains in the order in which they
   * were made available. So the used position is where the device before it stopped. That is so also when that one was
   * killed and the frontend, which then has nothing better, says 0. As DPDK's backend does (lib/vhost,
   * translate_ring_addresses) and QEMU's libvhost-user.
   */
  private resume(base: number): number {
    const { queue } = this
    const status = queue.start(packedBase(this.accessor.desc, queue.ring, base))
    if (status < 0) return status
    queue.resume()
    if (queue.base !== base) this.note(`the frontend's base is ${base}; as the ring says it goes on at ${queue.base}`)
    return status
  }

  /** Reads where the ring is; 0 or a negative errno. */
  private start(): number {
    const status = this.accessor.beginRound() === 'miss' ? EAGAIN : this.resume(this.base)
    this.accessor.endRound()
    this.started = status === 0
    return status
  }
}
