import { work } from '@vring/memory'
import type { DeviceRequest } from '@vring/vhost-user'
import { type BlockCommand, HEADER_BYTES, ID_BYTES, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_OK } from './block-request.ts'
import type { BlockStore } from './block-store.ts'

/** Bytes of data that one step moves: a look's work. */
export const STEP_BYTES: number = 2 ** 20
/** Bytes of the store that one step gives back: a page is freed in about the time of a unit of work. */
const DISCARD_BYTES = 2 ** 24
const PAGE_BYTES = 4096
/** Zeroes that are written at once where a store has no way of its own. */
const ZEROES = new Uint8Array(2 ** 16)

/**
 * A request of a store that answers at once, done in steps, so that one request of 32 MiB, or a few ranges of gigabytes, is no
 * longer look than any other. The driver's memory is looked up again in each step.
 */
export class BlockSteps {
  readonly #store: BlockStore
  readonly #id: Uint8Array
  readonly #request: DeviceRequest
  readonly #command: BlockCommand
  /** Bytes that are done, of the range in hand where there are several. */
  #done = 0
  #range = 0

  constructor(store: BlockStore, id: Uint8Array, request: DeviceRequest, command: BlockCommand) {
    this.#store = store
    this.#id = id
    this.#request = request
    this.#command = command
  }

  /**
   * Does the next part.
   *
   * @param paid its bytes were charged when the request was taken
   * @returns the request's status, or null: there is more
   */
  step(paid: boolean): number | null {
    const command = this.#command
    try {
      switch (command.kind) {
        case 'read':
        case 'write':
          return this.#transfer(command.kind, command.offset, command.length, paid)
        case 'flush':
          this.#store.flush()
          return VIRTIO_BLK_S_OK
        case 'id': {
          const bytes = new Uint8Array(ID_BYTES)
          bytes.set(this.#id)
          return this.#request.write(0, bytes) < 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK
        }
        case 'discard':
        case 'zeroes': {
          const { offset, length, unmap } = command.ranges[this.#range]!
          if (command.kind === 'discard') this.#discard(offset, length)
          else this.#zero(offset, length, unmap)
          if (this.#done < length) return null
          this.#done = 0
          return ++this.#range < command.ranges.length ? null : VIRTIO_BLK_S_OK
        }
        case 'fail':
          return command.status
      }
    } catch {
      return VIRTIO_BLK_S_IOERR
    }
  }

  #transfer(kind: 'read' | 'write', offset: number, length: number, paid: boolean): number | null {
    const [request, done] = [this.#request, this.#done]
    const bytes = Math.min(STEP_BYTES, length - done)
    const views = kind === 'read' ? request.writeViews(done, bytes) : request.readViews(HEADER_BYTES + done, bytes)
    if (views === null) return VIRTIO_BLK_S_IOERR
    if (!paid) {
      work.chargePieces(views.length)
      work.chargeBytes(bytes)
    }
    if (kind === 'read') {
      this.#store.read(offset + done, views)
      request.wrote(done, bytes)
    } else this.#store.write(offset + done, views)
    this.#done += bytes
    return this.#done < length ? null : VIRTIO_BLK_S_OK
  }

  #discard(offset: number, length: number): void {
    const at = offset + this.#done
    // Ends where a file system keeps whole pages, so that none is left half.
    const bytes = Math.min(DISCARD_BYTES - (at % DISCARD_BYTES), length - this.#done)
    work.charge(Math.ceil(bytes / PAGE_BYTES))
    this.#store.discard?.(at, bytes)
    this.#done += bytes
  }

  #zero(offset: number, length: number, unmap: boolean): void {
    const store = this.#store
    const at = offset + this.#done
    const bytes = Math.min(STEP_BYTES - (at % STEP_BYTES), length - this.#done)
    work.chargeBytes(bytes)
    if (store.writeZeroes !== undefined) store.writeZeroes(at, bytes, unmap)
    else
      for (let done = 0; done < bytes; done += ZEROES.length)
        store.write(at + done, [ZEROES.subarray(0, Math.min(ZEROES.length, bytes - done))])
    this.#done += bytes
  }
}
