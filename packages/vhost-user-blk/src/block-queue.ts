import { work } from '@vring/memory'
import type { DeviceRequest, RequestQueue } from '@vring/vhost-user'
import { REQUEST_BYTES_MAX } from './block-config.ts'
import type { BlockCounters } from './block-counters.ts'
import {
  type BlockCommand,
  type BlockRange,
  HEADER_BYTES,
  ID_BYTES,
  readCommand,
  VIRTIO_BLK_S_IOERR,
  VIRTIO_BLK_S_OK,
} from './block-request.ts'
import type { AsyncBlockStore, BlockStore } from './block-store.ts'

/** Requests that are taken at once. */
const BATCH = 16
/** Bytes that are given back together: what is longer keeps the driver waiting for what is done already. */
const FLUSH_BYTES = 2 ** 14
/** Zeroes that are written at once where a store has no way of its own. */
const ZEROES = new Uint8Array(2 ** 16)

/** A request queue of a block device while its ring runs. */
export class BlockQueue {
  readonly queue: RequestQueue
  enabled = false
  readonly #store: BlockStore | AsyncBlockStore
  readonly #id: Uint8Array
  readonly #counters: BlockCounters
  readonly #onAnswer: (stopped: boolean) => void
  /** Answers of an asynchronous store that are not given back yet. */
  readonly #answered: { readonly request: DeviceRequest; readonly length: number }[] = []
  #draining = false
  #closed = false

  /** @param onAnswer an asynchronous store has answered; `stopped`: the ring had stopped before */
  constructor(
    queue: RequestQueue,
    store: BlockStore | AsyncBlockStore,
    id: Uint8Array,
    counters: BlockCounters,
    onAnswer: (stopped: boolean) => void,
  ) {
    this.queue = queue
    this.#store = store
    this.#id = id
    this.#counters = counters
    this.#onAnswer = onAnswer
  }

  /** Requests that the store has not answered. */
  get open(): number {
    return this.queue.open - this.#answered.length
  }

  /** One round, of a look's work; requests taken and given back. */
  serve(): number {
    let done = this.#giveBack()
    while (this.enabled && !this.#draining) {
      const requests = this.queue.take(BATCH)
      let unpublished = 0
      for (const request of requests) {
        unpublished += request.readBytes + request.writeBytes
        this.#start(request)
        if (unpublished < FLUSH_BYTES) continue
        unpublished = 0
        this.queue.flush()
      }
      this.queue.flush()
      done += requests.length
      if (requests.length < BATCH || work.full) break
    }
    return done
  }

  /** Asks for kicks; true: there is work, do not sleep. */
  arm(): boolean {
    if (this.#answered.length > 0) return true
    return this.enabled && !this.#draining && this.queue.arm()
  }

  /** Takes no more; true when all that was taken was given back. */
  drain(): boolean {
    this.#draining = true
    this.#giveBack()
    return this.queue.open === 0
  }

  close(): number {
    this.#giveBack()
    this.#closed = true
    return this.queue.close()
  }

  #giveBack(): number {
    const count = this.#answered.length
    if (count === 0) return 0
    for (const { request, length } of this.#answered.splice(0)) this.queue.finish(request, length)
    this.queue.flush()
    return count
  }

  #start(request: DeviceRequest): void {
    const command = readCommand(request, this.#store.bytes, this.#store.readOnly === true)
    if (command === null) {
      this.#counters.malformed++
      this.queue.finish(request, 0)
    } else if (this.#store.async === true) void this.#later(this.#store, request, command)
    else this.queue.finish(request, this.#answer(request, this.#now(this.#store, request, command)))
  }

  /**
   * Writes the status. Its place is the end of the room, and the length that is given back counts from the beginning (VirtIO
   * 1.3 section 2.7.8.2): what an error leaves before it is zeroes. Room for more than a request may have, or that can't be
   * reached, is left as it is, and nothing is said to be written.
   */
  #answer(request: DeviceRequest, status: number): number {
    const at = request.writeBytes - 1
    const code = Uint8Array.of(status)
    if (status !== VIRTIO_BLK_S_OK) {
      this.#counters.errors++
      const room = at > REQUEST_BYTES_MAX ? null : request.writeViews(0, at)
      if (room === null) {
        request.write(at, code)
        return 0
      }
      for (const view of room) view.fill(0)
      request.wrote(0, at)
    }
    return request.write(at, code) < 0 ? 0 : request.writeBytes
  }

  #now(store: BlockStore, request: DeviceRequest, command: BlockCommand): number {
    this.#count(command)
    if (command.kind === 'discard' || command.kind === 'zeroes') chargeRanges(command.ranges)
    try {
      switch (command.kind) {
        case 'read': {
          const views = request.writeViews(0, command.length)
          if (views === null) return VIRTIO_BLK_S_IOERR
          store.read(command.offset, views)
          request.wrote(0, command.length)
          return VIRTIO_BLK_S_OK
        }
        case 'write': {
          const views = request.readViews(HEADER_BYTES, command.length)
          if (views === null) return VIRTIO_BLK_S_IOERR
          store.write(command.offset, views)
          return VIRTIO_BLK_S_OK
        }
        case 'flush':
          store.flush()
          return VIRTIO_BLK_S_OK
        case 'id':
          return request.write(0, this.#idBytes()) < 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK
        case 'discard':
          for (const { offset, length } of command.ranges) store.discard?.(offset, length)
          return VIRTIO_BLK_S_OK
        case 'zeroes':
          for (const range of command.ranges) zeroNow(store, range)
          return VIRTIO_BLK_S_OK
        case 'fail':
          return command.status
      }
    } catch {
      return VIRTIO_BLK_S_IOERR
    }
  }

  async #later(store: AsyncBlockStore, request: DeviceRequest, command: BlockCommand): Promise<void> {
    this.#count(command)
    let status = VIRTIO_BLK_S_OK
    let data: Uint8Array | null = null
    try {
      if (command.kind === 'read') {
        data = new Uint8Array(command.length)
        await store.read(command.offset, data)
      } else if (command.kind === 'write') {
        const copy = new Uint8Array(command.length)
        if (request.read(HEADER_BYTES, copy) < 0) status = VIRTIO_BLK_S_IOERR
        else await store.write(command.offset, copy)
      } else if (command.kind === 'flush') await store.flush()
      else if (command.kind === 'id') data = this.#idBytes()
      else if (command.kind === 'fail') status = command.status
      else await rangesLater(store, command.kind, command.ranges)
    } catch {
      status = VIRTIO_BLK_S_IOERR
    }
    // The ring is gone, and with it the driver's memory.
    if (!this.#closed) {
      if (data !== null && status === VIRTIO_BLK_S_OK && request.write(0, data) < 0) status = VIRTIO_BLK_S_IOERR
      this.#answered.push({ request, length: this.#answer(request, status) })
    }
    this.#onAnswer(this.#closed)
  }

  #idBytes(): Uint8Array {
    const bytes = new Uint8Array(ID_BYTES)
    bytes.set(this.#id)
    return bytes
  }

  #count(command: BlockCommand): void {
    const counters = this.#counters
    if (command.kind === 'read') {
      counters.reads++
      counters.readBytes += command.length
    } else if (command.kind === 'write') {
      counters.writes++
      counters.writtenBytes += command.length
    } else if (command.kind === 'flush') counters.flushes++
    else if (command.kind === 'discard') counters.discards++
    else if (command.kind === 'zeroes') counters.zeroes++
  }
}

/** A range that is discarded or zeroed is charged as its bytes are; beyond those of the longest request it is as long a look. */
function chargeRanges(ranges: readonly BlockRange[]): void {
  for (const { length } of ranges) work.chargeBytes(Math.min(length, REQUEST_BYTES_MAX))
}

function zeroNow(store: BlockStore, { offset, length, unmap }: BlockRange): void {
  if (store.writeZeroes !== undefined) {
    store.writeZeroes(offset, length, unmap)
    return
  }
  for (let done = 0; done < length; done += ZEROES.length)
    store.write(offset + done, [ZEROES.subarray(0, Math.min(ZEROES.length, length - done))])
}

async function rangesLater(
  store: AsyncBlockStore,
  kind: 'discard' | 'zeroes',
  ranges: readonly BlockRange[],
): Promise<void> {
  for (const { offset, length, unmap } of ranges) {
    if (kind === 'discard') await store.discard?.(offset, length)
    else if (store.writeZeroes !== undefined) await store.writeZeroes(offset, length, unmap)
    else
      for (let done = 0; done < length; done += ZEROES.length)
        await store.write(offset + done, ZEROES.slice(0, Math.min(ZEROES.length, length - done)))
  }
}
