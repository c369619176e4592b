import { work } from '@vring/memory'
import type { DeviceRequest, RequestQueue } from '@vring/vhost-user'
import type { BlockCounters } from './block-counters.ts'
import { type BlockCommand, readCommand, VIRTIO_BLK_S_OK } from './block-request.ts'
import { BlockSteps, STEP_BYTES, type StepStatus } from './block-steps.ts'
import type { AsyncBlockStore, BlockStore } from './block-store.ts'

/** Requests that are taken at once. */
const BATCH = 16
/** Bytes that are given back together: what is longer keeps the driver waiting for what is done already. */
const FLUSH_BYTES = 2 ** 14

/** A request queue of a block device while its ring runs. */
export class BlockQueue {
  readonly queue: RequestQueue
  enabled = false
  readonly #store: BlockStore | AsyncBlockStore
  readonly #id: Uint8Array
  readonly #counters: BlockCounters
  readonly #onAnswer: (stopped: boolean) => void
  /** Taken, and not begun or not done: of the first one some steps may be. */
  readonly #taken: DeviceRequest[] = []
  /** What is left of the first one; null: it is not begun. */
  #steps: BlockSteps | null = null
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

  /** Requests that an asynchronous store has not answered. */
  get open(): number {
    return this.queue.open - this.#taken.length - this.#answered.length
  }

  /** One round, of a look's work; requests done, and steps of those that take several. */
  serve(): number {
    // What was charged in the look that took it is charged in this one.
    let done = this.#giveBack() + this.#goOn(false)
    while (this.enabled && !this.#draining && this.#taken.length === 0 && (done === 0 || !work.full)) {
      const requests = this.queue.take(BATCH)
      this.#taken.push(...requests)
      done += this.#goOn(true)
      if (requests.length < BATCH) break
    }
    return done
  }

  /** Asks for kicks; true: there is work, do not sleep. */
  arm(): boolean {
    if (this.#answered.length > 0 || this.#taken.length > 0) return true
    return this.enabled && !this.#draining && this.queue.arm()
  }

  /** Takes no more; true when all that was taken was given back: what has steps to go is done by {@link serve}. */
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

  /**
   * Does what was taken: a step at least, then as many as the look has work for. Of requests that were taken in this
   * look the first step is one of them in any case: it is charged.
   *
   * @returns steps done
   */
  #goOn(fresh: boolean): number {
    let [done, unpublished] = [0, 0]
    for (let request = this.#taken[0]; request !== undefined; ) {
      const paid = fresh && this.#steps === null
      if (!paid && done > 0 && work.full) break
      done++
      this.#steps ??= this.#begin(request)
      const steps = this.#steps
      if (steps === null) this.queue.finish(request, 0)
      else {
        const status = steps.step(paid)
        if (status === null) continue
        if (typeof status === 'number') this.queue.finish(request, this.#answer(request, status))
        else void this.#later(request, steps, status)
      }
      this.#steps = null
      this.#taken.shift()
      unpublished += request.readBytes + request.writeBytes
      request = this.#taken[0]
      if (unpublished < FLUSH_BYTES) continue
      unpublished = 0
      this.queue.flush()
    }
    if (done > 0) this.queue.flush()
    return done
  }

  /** Its steps; null: it is malformed. */
  #begin(request: DeviceRequest): BlockSteps | null {
    const store = this.#store
    const command = readCommand(request, store.bytes, store.readOnly === true)
    if (command === null) {
      this.#counters.malformed++
      return null
    }
    this.#count(command)
    return new BlockSteps(store, this.#id, request, command, () => this.#closed)
  }

  /** The steps of an asynchronous store, from the first one on, which has begun. */
  async #later(request: DeviceRequest, steps: BlockSteps, first: Promise<StepStatus>): Promise<void> {
    let status = await first
    while (status === null && !this.#closed) status = await steps.step(true)
    // The ring is gone, and with it the driver's memory.
    if (status !== null && !this.#closed) this.#answered.push({ request, length: this.#answer(request, status) })
    this.#onAnswer(this.#closed)
  }

  /**
   * Writes the status. Its place is the end of the room, and the length that is given back counts from the beginning
   * (VirtIO 1.3 section 2.7.8.2). What an error leaves before it is zeroes. Room for more than one step, or that can't
   * be reached, is left as it is, and nothing is said to be written.
   */
  #answer(request: DeviceRequest, status: number): number {
    const at = request.writeBytes - 1
    const code = Uint8Array.of(status)
    if (status !== VIRTIO_BLK_S_OK) {
      this.#counters.errors++
      const room = at > STEP_BYTES ? null : request.writeViews(0, at)
      if (room === null) {
        request.write(at, code)
        return 0
      }
      for (const view of room) view.fill(0)
      request.wrote(0, at)
    }
    return request.write(at, code) < 0 ? 0 : request.writeBytes
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
