import {
  type AccessCounters,
  type AccessorOptions,
  type AccessorPlugin,
  type Cpu,
  resolveOptions,
} from '@vring/accessor'
import { copyChecked } from '@vring/accessor-copy-checked'
import {
  checkMethods,
  featureSet,
  refused,
  VIRTIO_BLK_F_BLK_SIZE,
  VIRTIO_BLK_F_DISCARD,
  VIRTIO_BLK_F_FLUSH,
  VIRTIO_BLK_F_MQ,
  VIRTIO_BLK_F_RO,
  VIRTIO_BLK_F_SEG_MAX,
  VIRTIO_BLK_F_SIZE_MAX,
  VIRTIO_BLK_F_WRITE_ZEROES,
  VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_VERSION_1,
  VIRTIO_ID_BLOCK,
} from '@vring/layout'
import { EventFd } from '@vring/linux'
import { RequestQueue, type StartedVring, type VhostUserDevice } from '@vring/vhost-user'
import { BLOCK_CONFIG_BYTES, blockConfig } from './block-config.ts'
import type { BlockCounters } from './block-counters.ts'
import { BlockQueue } from './block-queue.ts'
import { type AsyncBlockStore, type BlockStore, SECTOR_BYTES } from './block-store.ts'

/** Queues that a device may have. */
export const BLOCK_QUEUES_MAX = 256

export interface BlockDeviceOptions {
  readonly store: BlockStore | AsyncBlockStore
  /** What GET_ID answers: at most 20 bytes of ASCII. Default `vring`. */
  readonly id?: string
  /** Request queues. Default 1. */
  readonly queues?: number
  /**
   * How ring metadata is reached. Default copy-checked: this device does no metadata prefetching of its own. With one that
   * translates, ACCESS_PLATFORM is offered: addresses may be IOVAs.
   */
  readonly accessor?: AccessorPlugin
  readonly accessorOptions?: AccessorOptions
  readonly cpu?: Cpu
}

/**
 * A virtio block device (VirtIO 1.3 section 5.2) for a vhost-user session, over a file or any other store. What is in flight
 * survives the process where the frontend keeps the inflight area.
 */
export class BlockDevice implements VhostUserDevice {
  readonly deviceId: number = VIRTIO_ID_BLOCK
  readonly features: bigint
  readonly queueCount: number
  readonly queueNum: number
  readonly configBytes: number = BLOCK_CONFIG_BYTES
  readonly tracksInflight: boolean = true
  readonly wakeFds: readonly number[]
  readonly counters: BlockCounters = {
    ...{ reads: 0, writes: 0, flushes: 0, discards: 0, zeroes: 0 },
    ...{ readBytes: 0, writtenBytes: 0, errors: 0, malformed: 0 },
  }
  readonly #options: BlockDeviceOptions
  readonly #config: Uint8Array
  readonly #id: Uint8Array
  readonly #queues: (BlockQueue | null)[]
  /** Requests of queues that are stopped and whose store has not answered, by queue: who comes next waits for them. */
  readonly #stale: number[]
  /** Wakes the loop when an asynchronous store has answered. */
  readonly #wake: EventFd | null

  /** @throws VringError ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE */
  constructor(options: BlockDeviceOptions) {
    const { store, queues = 1, id = 'vring', accessor = copyChecked } = options
    checkStore(store)
    checkMethods('accessor', accessor, 'an accessor plugin', ['create'])
    resolveOptions(accessor.name, accessor.options, options.accessorOptions ?? {})
    if (!Number.isInteger(queues) || queues < 1 || queues > BLOCK_QUEUES_MAX)
      throw refused('ERR_OUT_OF_RANGE', 'queues', queues, `1 to ${BLOCK_QUEUES_MAX}`)
    if (!/^[\x20-\x7e]{0,20}$/.test(id))
      throw refused('ERR_INVALID_ARGUMENT', 'id', id, 'at most 20 printable ASCII characters')
    this.#options = options
    this.#config = blockConfig(store.bytes, queues)
    this.#id = new TextEncoder().encode(id)
    this.queueCount = queues
    this.queueNum = queues
    this.#queues = new Array<BlockQueue | null>(queues).fill(null)
    this.#stale = new Array<number>(queues).fill(0)
    this.#wake = store.async === true ? EventFd.create() : null
    this.wakeFds = this.#wake === null ? [] : [this.#wake.fd]
    const writable = [VIRTIO_BLK_F_DISCARD, VIRTIO_BLK_F_WRITE_ZEROES]
    this.features = featureSet(
      ...[VIRTIO_F_VERSION_1, VIRTIO_F_INDIRECT_DESC, VIRTIO_F_EVENT_IDX, VIRTIO_F_RING_PACKED],
      ...[VIRTIO_BLK_F_SIZE_MAX, VIRTIO_BLK_F_SEG_MAX, VIRTIO_BLK_F_BLK_SIZE, VIRTIO_BLK_F_FLUSH],
      ...(store.readOnly === true ? [VIRTIO_BLK_F_RO] : writable),
      ...(queues > 1 ? [VIRTIO_BLK_F_MQ] : []),
      ...(accessor.supports.iotlb ? [VIRTIO_F_ACCESS_PLATFORM] : []),
    )
  }

  readConfig(offset: number, into: Uint8Array): void {
    into.set(this.#config.subarray(offset, offset + into.length))
  }

  startQueue(vring: StartedVring): void {
    const { store, accessor = copyChecked, accessorOptions, cpu } = this.#options
    const queue = new RequestQueue(vring, {
      accessor,
      ...(accessorOptions === undefined ? {} : { accessorOptions }),
      ...(cpu === undefined ? {} : { cpu }),
    })
    this.#queues[vring.index] = new BlockQueue(queue, store, this.#id, this.counters, (stopped) => {
      if (stopped) this.#stale[vring.index]!--
      this.#wake?.signal()
    })
  }

  stopQueue(index: number): number {
    const queue = this.#queues[index]
    this.#queues[index] = null
    if (queue === null || queue === undefined) return 0
    this.#stale[index]! += queue.open
    return queue.close()
  }

  setQueueEnabled(index: number, enabled: boolean): void {
    const queue = this.#queues[index]
    if (queue !== null && queue !== undefined) queue.enabled = enabled
  }

  serveQueue(index: number): number {
    this.#wake?.drain()
    const queue = this.#queues[index]
    // What the store still does for the ring before could come after what the driver asks for now.
    return queue === null || queue === undefined || this.#stale[index]! > 0 ? 0 : queue.serve()
  }

  armQueue(index: number): boolean {
    const queue = this.#queues[index]
    return queue === null || queue === undefined || this.#stale[index]! > 0 ? false : queue.arm()
  }

  drainQueue(index: number): boolean {
    return this.#queues[index]?.drain() ?? true
  }

  /** Access counters of a running queue. */
  accesses(index: number): AccessCounters | null {
    return this.#queues[index]?.queue.accessor.counters ?? null
  }

  /** Gives its eventfd back; no session uses it any more. */
  close(): void {
    this.#wake?.close()
  }
}

function checkStore(store: BlockStore | AsyncBlockStore): void {
  checkMethods('store', store, 'a BlockStore or an AsyncBlockStore', ['read', 'write', 'flush'])
  const { bytes } = store
  if (!Number.isSafeInteger(bytes) || bytes <= 0 || bytes % SECTOR_BYTES !== 0)
    throw refused('ERR_OUT_OF_RANGE', 'store.bytes', bytes, `a positive multiple of ${SECTOR_BYTES}`)
}
