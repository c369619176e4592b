import { work } from '@vring/memory'
import type { DeviceRequest } from '@vring/vhost-user'
import { type BlockCommand, HEADER_BYTES, ID_BYTES, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_OK } from './block-request.ts'
import type { AsyncBlockStore, BlockStore } from './block-store.ts'

/** Bytes of data that one step moves: a look's work. */
export const STEP_BYTES: number = 2 ** 20
/** Bytes of the store that one step gives back: a page is freed in about the time of a unit of work. */
const DISCARD_BYTES = 2 ** 24
const PAGE_BYTES = 4096
/** Zeroes that are written at once where a store has no way of its own. */
const ZEROES = new Uint8Array(2 ** 16)

/** A request's status, or null: there is more to do. */
export type StepStatus = number | null

/**
 * A request, done in steps, so that one request of 32 MiB, or a few ranges of gigabytes, is no longer look than any
 * other. The driver's memory is looked up again in each step.
 */
export class BlockSteps {
  readonly #store: BlockStore | AsyncBlockStore
  readonly #id: Uint8Array
  readonly #request: DeviceRequest
  readonly #command: BlockCommand
  readonly #isClosed: () => boolean
  /** Bytes that are done, of the range in hand where there are several. */
  #done = 0
  /** Bytes of the step in hand. */
  #bytes = 0
  #range = 0

  /** @param isClosed the ring is gone, and with it the driver's memory: nothing is copied any more */
  constructor(
    store: BlockStore | AsyncBlockStore,
    id: Uint8Array,
    request: DeviceRequest,
    command: BlockCommand,
    isClosed: () => boolean,
  ) {
    this.#store = store
    this.#id = id
    this.#request = request
    this.#command = command
    this.#isClosed = isClosed
  }

  /**
   * Does the next part.
   *
   * @param paid its bytes were charged when the request was taken
   * @returns of a store that answers later, a promise
   */
  step(paid: boolean): StepStatus | Promise<StepStatus> {
    try {
      const part = this.#part(paid)
      if (part === undefined) return this.#next()
      return part.then(
        () => this.#next(),
        () => VIRTIO_BLK_S_IOERR,
      )
    } catch {
      return VIRTIO_BLK_S_IOERR
    }
  }

  /** What it throws is an I/O error. */
  #part(paid: boolean): undefined | Promise<void> {
    const command = this.#command
    switch (command.kind) {
      case 'read':
      case 'write': {
        this.#bytes = Math.min(STEP_BYTES, command.length - this.#done)
        const at = command.offset + this.#done
        const store = this.#store
        if (store.async === true) return this.#copy(store, command.kind, at)
        this.#move(store, command.kind, at, paid)
        return
      }
      case 'flush':
        return this.#store.flush() ?? undefined
      case 'id': {
        const bytes = new Uint8Array(ID_BYTES)
        bytes.set(this.#id)
        reached(this.#request.write(0, bytes))
        return
      }
      case 'discard': {
        const { at, left } = this.#inRange(command)
        // Ends where a file system keeps whole pages, so that none is left half.
        this.#bytes = Math.min(DISCARD_BYTES - (at % DISCARD_BYTES), left)
        work.charge(Math.ceil(this.#bytes / PAGE_BYTES))
        return this.#store.discard?.(at, this.#bytes) ?? undefined
      }
      case 'zeroes': {
        const { at, left, unmap } = this.#inRange(command)
        this.#bytes = Math.min(STEP_BYTES - (at % STEP_BYTES), left)
        work.chargeBytes(this.#bytes)
        return this.#zero(at, unmap)
      }
      case 'fail':
        return
    }
  }

  #inRange(command: BlockCommand & { readonly kind: 'discard' | 'zeroes' }): {
    readonly at: number
    readonly left: number
    readonly unmap: boolean
  } {
    const { offset, length, unmap } = command.ranges[this.#range]!
    return { at: offset + this.#done, left: length - this.#done, unmap }
  }

  /** The part is done. */
  #next(): StepStatus {
    const command = this.#command
    this.#done += this.#bytes
    switch (command.kind) {
      case 'read':
      case 'write':
        return this.#done < command.length ? null : VIRTIO_BLK_S_OK
      case 'discard':
      case 'zeroes':
        if (this.#done < command.ranges[this.#range]!.length) return null
        this.#done = 0
        return ++this.#range < command.ranges.length ? null : VIRTIO_BLK_S_OK
      case 'fail':
        return command.status
      default:
        return VIRTIO_BLK_S_OK
    }
  }

  /** The store reads and writes the driver's memory in place. */
  #move(store: BlockStore, kind: 'read' | 'write', at: number, paid: boolean): void {
    const [request, done, bytes] = [this.#request, this.#done, this.#bytes]
    const views = kind === 'read' ? request.writeViews(done, bytes) : request.readViews(HEADER_BYTES + done, bytes)
    if (views === null) throw new Error('the buffers are out of reach')
    if (!paid) {
      work.chargePieces(views.length)
      work.chargeBytes(bytes)
    }
    if (kind === 'read') {
      store.read(at, views)
      request.wrote(done, bytes)
    } else store.write(at, views)
  }

  /** The store has a copy: the driver's memory may be gone when it answers. */
  async #copy(store: AsyncBlockStore, kind: 'read' | 'write', at: number): Promise<void> {
    const bytes = new Uint8Array(this.#bytes)
    if (kind === 'write') {
      reached(this.#request.read(HEADER_BYTES + this.#done, bytes))
      await store.write(at, bytes)
      return
    }
    await store.read(at, bytes)
    if (!this.#isClosed()) reached(this.#request.write(this.#done, bytes))
  }

  #zero(at: number, unmap: boolean): undefined | Promise<void> {
    const [store, bytes] = [this.#store, this.#bytes]
    if (store.writeZeroes !== undefined) return store.writeZeroes(at, bytes, unmap) ?? undefined
    if (store.async === true) return store.write(at, new Uint8Array(bytes))
    for (let done = 0; done < bytes; done += ZEROES.length)
      store.write(at + done, [ZEROES.subarray(0, Math.min(ZEROES.length, bytes - done))])
    return
  }
}

/** @param status what reading or writing a request's buffers returned */
function reached(status: number): void {
  if (status < 0) throw new Error('the buffers are out of reach')
}
