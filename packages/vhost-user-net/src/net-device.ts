import { type AccessCounters, type AccessorOptions, type AccessorPlugin, type Cpu, plainCpu } from '@vring/accessor'
import {
  featureSet,
  refused,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_IN_ORDER,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_RING_RESET,
  VIRTIO_F_VERSION_1,
  VIRTIO_ID_NET,
  VIRTIO_NET_F_GUEST_ANNOUNCE,
  VIRTIO_NET_F_MRG_RXBUF,
  VIRTIO_NET_F_STATUS,
} from '@vring/layout'
import type { FrameSource, NetBackend, Payload } from '@vring/vhost-net'
import type { StartedVring, VhostUserDevice } from '@vring/vhost-user'
import { FdList } from './fd-list.ts'
import { NetQueue } from './net-queue.ts'
import type { NetQueueReport } from './net-queue-report.ts'

/**
 * Features that the datapath serves whatever the backend is. GUEST_ANNOUNCE is between frontend and driver, as the control
 * queue is: a frontend that migrates its driver asks whether the backend agrees (DPDK's does).
 */
export const NET_DEVICE_FEATURES: bigint = featureSet(
  VIRTIO_NET_F_MRG_RXBUF,
  VIRTIO_NET_F_STATUS,
  VIRTIO_NET_F_GUEST_ANNOUNCE,
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
 * How long to leave a backend alone that has no room, in ms: not every device says when it has room again, and what
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
}

/**
 * A virtio network device for a vhost-user session. Queue 2p receives and queue 2p + 1 transmits for pair p (VirtIO 1.3
 * section 5.1.2). A malformed ring breaks its own queue, tells the frontend once, and leaves the others alone.
 */
export class NetDevice implements VhostUserDevice {
  readonly deviceId: number = VIRTIO_ID_NET
  readonly features: bigint
  readonly queueCount: number
  readonly queueNum: number
  private readonly options: NetDeviceOptions
  private readonly queues: (NetQueue | null)[]
  private readonly sourceFds = new FdList()
  private readonly backendFds = new FdList()

  /** @throws VringError ERR_OUT_OF_RANGE */
  constructor(options: NetDeviceOptions) {
    const pairs = options.queuePairs ?? 1
    if (!Number.isInteger(pairs) || pairs < 1 || pairs > QUEUE_PAIRS_MAX)
      throw refused('ERR_OUT_OF_RANGE', 'queuePairs', pairs, `1 to ${QUEUE_PAIRS_MAX}`)
    this.options = options
    this.features = NET_DEVICE_FEATURES | (options.features ?? 0n)
    this.queueNum = pairs
    this.queueCount = 2 * pairs
    this.queues = new Array<NetQueue | null>(this.queueCount).fill(null)
  }

  startQueue(vring: StartedVring): void {
    const { accessor, accessorOptions, backend, source, cpu, payload } = this.options
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
    const base = this.queues[index]?.close() ?? 0
    this.queues[index] = null
    return base
  }

  setQueueEnabled(index: number, enabled: boolean): void {
    this.queues[index]?.setEnabled(enabled)
  }

  serveQueue(index: number): number {
    const queue = this.queues[index]
    return queue === null || queue === undefined ? 0 : queue.serve()
  }

  armQueue(index: number): boolean {
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
