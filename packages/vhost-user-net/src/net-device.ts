import {
  type AccessCounters,
  type AccessorOptions,
  type AccessorPlugin,
  type Cpu,
  plainCpu,
  resolveOptions,
} from '@vring/accessor'
import {
  featureSet,
  hasFeature,
  refused,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_IN_ORDER,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_RING_RESET,
  VIRTIO_F_VERSION_1,
  VIRTIO_ID_NET,
  VIRTIO_NET_F_CTRL_VQ,
  VIRTIO_NET_F_GUEST_ANNOUNCE,
  VIRTIO_NET_F_MQ,
  VIRTIO_NET_F_MRG_RXBUF,
  VIRTIO_NET_F_STATUS,
} from '@vring/layout'
import type { FrameSource, NetBackend, Payload } from '@vring/vhost-net'
import { RequestQueue, type StartedVring, type VhostUserDevice } from '@vring/vhost-user'
import { ControlQueue } from './control-queue.ts'
import { FdList } from './fd-list.ts'
import { NetQueue } from './net-queue.ts'
import type { NetQueueReport } from './net-queue-report.ts'
import { rarpFrame } from './rarp-frame.ts'

/** Features that the datapath serves whatever the backend is. */
export const NET_DEVICE_FEATURES: bigint = featureSet(
  VIRTIO_NET_F_MRG_RXBUF,
  VIRTIO_NET_F_STATUS,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_VERSION_1,
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_IN_ORDER,
  VIRTIO_F_RING_RESET,
)

/** Queue pairs that a device may have. Source: VirtIO 1.3 section 5.1.4, max_virtqueue_pairs, as DPDK bounds it. */
export const QUEUE_PAIRS_MAX = 128

/**
 * How long to leave a backend alone that has no room, in ms. Not every device says when it has room again, and what
 * says so may be wrong for good.
 */
const ROOM_MS = 1

export interface NetDeviceOptions {
  readonly accessor: AccessorPlugin
  readonly accessorOptions?: AccessorOptions
  /** Default 1. */
  readonly queuePairs?: number
  /** Where the frames of a pair's transmit queue go. */
  readonly backend: (pair: number) => NetBackend
  /** Where the frames for a pair's receive queue come from; null or absent: the driver receives nothing. */
  readonly source?: (pair: number) => FrameSource | null
  /** Default `in-place`. */
  readonly payload?: Payload
  /** Default {@link plainCpu}. */
  readonly cpu?: Cpu
  /** Features beside {@link NET_DEVICE_FEATURES}, such as offloads that the backend takes part in. */
  readonly features?: bigint
  /**
   * Offers GUEST_ANNOUNCE, and CTRL_VQ, without which drivers refuse it: a driver that was migrated announces itself
   * when its frontend asks it to (DPDK's). QEMU announces in its place otherwise. Default false.
   */
  readonly announce?: boolean
}

/** Bytes of `struct virtio_net_config` (VirtIO 1.3 section 5.1.4). */
const CONFIG_BYTES = 24
const CONFIG_STATUS = 6
const CONFIG_PAIRS = 8
const CONFIG_MTU = 10
const CONFIG_SPEED = 12
const CONFIG_DUPLEX = 16
/** The link is up. */
const VIRTIO_NET_S_LINK_UP = 1

/**
 * A virtio network device for a vhost-user session. Queue 2p receives and queue 2p + 1 transmits for pair p (VirtIO 1.3
 * section 5.1.2). A malformed ring breaks its own queue, tells the frontend once, and leaves the others alone.
 */
export class NetDevice implements VhostUserDevice {
  readonly deviceId: number = VIRTIO_ID_NET
  readonly features: bigint
  readonly queueCount: number
  readonly queueNum: number
  readonly configBytes: number = CONFIG_BYTES
  private readonly options: NetDeviceOptions
  private readonly queues: (NetQueue | null)[]
  /** Which queues may have effects, as the frontend says. */
  private readonly ringEnabled: boolean[]
  private control: ControlQueue | null = null
  /** Queue pairs that the driver uses; all of them where it has no control queue to say so. */
  protected activePairs: number
  private readonly sourceFds = new FdList()
  private readonly backendFds = new FdList()

  /** @throws VringError ERR_OUT_OF_RANGE */
  constructor(options: NetDeviceOptions) {
    const pairs = options.queuePairs ?? 1
    if (!Number.isInteger(pairs) || pairs < 1 || pairs > QUEUE_PAIRS_MAX)
      throw refused('ERR_OUT_OF_RANGE', 'queuePairs', pairs, `1 to ${QUEUE_PAIRS_MAX}`)
    for (const field of ['backend', 'source'] as const)
      if (options[field] !== undefined && typeof options[field] !== 'function')
        throw refused('ERR_INVALID_ARGUMENT', field, typeof options[field], 'a function of the queue pair')
    if (options.backend === undefined)
      throw refused('ERR_INVALID_ARGUMENT', 'backend', undefined, 'a function of the queue pair')
    if (typeof options.accessor?.create !== 'function')
      throw refused('ERR_INVALID_ARGUMENT', 'accessor', options.accessor, 'an accessor plugin')
    resolveOptions(options.accessor.name, options.accessor.options, options.accessorOptions ?? {})
    this.options = options
    const announce = options.announce === true ? featureSet(VIRTIO_NET_F_GUEST_ANNOUNCE) : 0n
    const several = pairs > 1 ? featureSet(VIRTIO_NET_F_MQ) : 0n
    const control = announce !== 0n || several !== 0n
    this.features =
      NET_DEVICE_FEATURES |
      announce |
      several |
      (control ? featureSet(VIRTIO_NET_F_CTRL_VQ) : 0n) |
      (options.features ?? 0n)
    this.queueNum = pairs
    this.queueCount = 2 * pairs + (control ? 1 : 0)
    this.queues = new Array<NetQueue | null>(2 * pairs).fill(null)
    this.ringEnabled = new Array<boolean>(2 * pairs).fill(false)
    this.activePairs = pairs
  }

  readConfig(offset: number, into: Uint8Array): void {
    const view = new DataView(new ArrayBuffer(CONFIG_BYTES))
    view.setUint16(CONFIG_STATUS, VIRTIO_NET_S_LINK_UP, true)
    view.setUint16(CONFIG_PAIRS, this.queueNum, true)
    view.setUint16(CONFIG_MTU, 1500, true)
    view.setUint32(CONFIG_SPEED, 0xffff_ffff, true)
    view.setUint8(CONFIG_DUPLEX, 0xff)
    into.set(new Uint8Array(view.buffer, offset, into.length))
  }

  startQueue(vring: StartedVring): void {
    const { accessor, accessorOptions, backend, source, cpu, payload } = this.options
    const { features } = vring
    const pairs = this.queueNum
    // VirtIO 1.3 section 5.1.2: after the last pair that the driver may use.
    if (
      hasFeature(features, VIRTIO_NET_F_CTRL_VQ) &&
      vring.index === (hasFeature(features, VIRTIO_NET_F_MQ) ? 2 * pairs : 2)
    ) {
      const queue = new RequestQueue(vring, {
        accessor,
        ...(accessorOptions === undefined ? {} : { accessorOptions }),
        ...(cpu === undefined ? {} : { cpu }),
      })
      this.control = new ControlQueue(queue, pairs, (count) => this.usePairs(count))
      this.usePairs(1)
      return
    }
    if (vring.index >= this.queues.length)
      throw refused('ERR_INVALID_STATE', 'queue', vring.index, 'a queue of the pairs, as CTRL_VQ is not negotiated')
    const pair = vring.index >>> 1
    // By the index, not by what it can do: a TAP is both.
    const end = vring.index % 2 === 1 ? { backend: backend(pair) } : { source: source?.(pair) ?? null }
    this.queues[vring.index] = new NetQueue(vring, end, {
      plugin: accessor,
      options: accessorOptions ?? {},
      cpu: cpu ?? plainCpu,
      payload: payload ?? 'in-place',
    })
  }

  stopQueue(index: number): number {
    if (index === this.control?.queue.index) {
      const base = this.control.queue.close()
      this.control = null
      this.usePairs(this.queueNum)
      return base
    }
    const base = this.queues[index]?.close() ?? 0
    this.queues[index] = null
    this.ringEnabled[index] = false
    return base
  }

  setQueueEnabled(index: number, enabled: boolean): void {
    if (index >= this.ringEnabled.length || index === this.control?.queue.index) return
    this.ringEnabled[index] = enabled
    this.apply(index)
  }

  serveQueue(index: number): number {
    if (index === this.control?.queue.index) return this.control.serve()
    const queue = this.queues[index]
    return queue === null || queue === undefined ? 0 : queue.serve()
  }

  armQueue(index: number): boolean {
    if (index === this.control?.queue.index) return this.control.queue.arm()
    return this.queues[index]?.arm() ?? false
  }

  /** Descriptors of the sources whose frames the driver can take now. */
  get wakeFds(): readonly number[] {
    return this.sourceFds.of(this.queues, wakeFdOf)
  }

  /** Descriptors of the backends that have no room now. */
  get roomFds(): readonly number[] {
    return this.backendFds.of(this.queues, roomFdOf)
  }

  get sleepMs(): number {
    return this.queues.some(isStalled) ? ROOM_MS : -1
  }

  /** Announces the driver where it is after a migration: a frame to all, by the first pair's backend. */
  sendRarp(mac: Uint8Array): void {
    const backend = this.options.backend(0)
    backend.transmit(rarpFrame(mac))
    backend.flush()
  }

  /** The driver uses the first `count` pairs: nothing is received for the others. */
  protected usePairs(count: number): void {
    this.activePairs = count
    for (let index = 0; index < this.queues.length; index += 2) this.apply(index)
  }

  private apply(index: number): void {
    const used = index % 2 === 1 || index >>> 1 < this.activePairs
    this.queues[index]?.setEnabled(this.ringEnabled[index]! && used)
  }

  /** Access counters of a running queue. */
  counters(index: number): AccessCounters | null {
    return this.queues[index]?.accessor.counters ?? null
  }

  /** One line a running queue. */
  report(): NetQueueReport[] {
    return this.queues.flatMap((queue, index) => (queue === null ? [] : [queue.report(index)]))
  }
}

const wakeFdOf = (queue: NetQueue | null): number => queue?.wakeFd ?? -1

const roomFdOf = (queue: NetQueue | null): number => queue?.roomFd ?? -1

const isStalled = (queue: NetQueue | null): boolean => queue?.stalled ?? false
