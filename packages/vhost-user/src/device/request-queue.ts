import { type Accessor, type AccessorOptions, type AccessorPlugin, type Cpu, plainCpu } from '@vring/accessor'
import { IotlbBufferMap } from '@vring/iotlb'
import { EAGAIN, VringError } from '@vring/layout'
import { ACCESS_READ, ACCESS_WRITE, type AddressMap, WORK_BYTES, WORK_PER_LOOK, work } from '@vring/memory'
import { type BrokenReason, ChainBatch, createDeviceQueue, type DeviceQueue, PIECES_MAX } from '@vring/virtqueue'
import type { StartedVring } from './device.ts'
import { DeviceRequest, type RequestBuffer, type RequestMemory } from './device-request.ts'
import { packedBase } from './packed-base.ts'
import { type RequestNotes, requestNotes } from './request-notes.ts'
import { migrationLog, ringLog } from './ring-log.ts'

export interface RequestQueueOptions {
  /** How ring metadata is reached. */
  readonly accessor: AccessorPlugin
  readonly accessorOptions?: AccessorOptions
  /** Default {@link plainCpu}. */
  readonly cpu?: Cpu
}

/** Chains that one {@link RequestQueue.take} reads at most. One batch for all queues of a thread: it lives within a call. */
const BATCH_CHAINS = 64
const batch = new ChainBatch(BATCH_CHAINS)
/** One chain that is given back, whatever batch it came with. */
const finished = new ChainBatch(1)

/**
 * A running ring of a device that answers requests one by one, in any order. It is for block, random numbers, control,
 * and other devices that are no network's. Takes requests, gives them back, tells the driver, and keeps note of what is
 * in flight.
 *
 * What a driver makes a request cost (descriptors, pieces, look-ups, bytes) is charged to the thread's `work` when it
 * is taken. What the device is going to do is charged with it. `VhostUserWorker` begins `work` before each
 * `serveQueue`: a device that takes more than once in one call stops when it is full.
 *
 * ```ts
 * serveQueue(index) {
 *   const requests = this.queue.take(16)
 *   for (const request of requests) this.queue.finish(request, answer(request))
 *   this.queue.flush()
 *   return requests.length
 * }
 * ```
 */
export class RequestQueue {
  readonly accessor: Accessor
  readonly #vring: StartedVring
  readonly #queue: DeviceQueue
  readonly #buffers: AddressMap
  readonly #memory: RequestMemory
  /** What is in flight, noted for the device that comes after this one. */
  readonly #notes: RequestNotes | null
  /** Requests that were taken and not finished. */
  #open = 0
  #started = false
  /** What an earlier device left in flight waits for a translation. */
  #missed = false
  #errorSignalled = false
  #base: number

  /**
   * @throws VringError ERR_INVALID_STATE when the ring can't be read
   */
  constructor(vring: StartedVring, options: RequestQueueOptions) {
    const { ring, features, memory, iotlb } = vring
    const cpu = options.cpu ?? plainCpu
    this.#vring = vring
    this.#base = vring.base
    this.#buffers = iotlb === null ? memory.buffers : new IotlbBufferMap(iotlb, memory.space)
    this.#memory = { buffers: this.#buffers, log: migrationLog(vring), space: memory.space }
    this.accessor = options.accessor.create({ cpu, space: memory.space, ring, iotlb }, options.accessorOptions ?? {})
    this.#queue = createDeviceQueue({
      ...{ accessor: this.accessor, cpu, ring, features, buffers: this.#buffers },
      log: ringLog(vring),
    })
    this.#notes = requestNotes(vring, { queue: this.#queue, accessor: this.accessor })
    const status = this.#start()
    // With an IOTLB the ring may not be translated yet: this asked for it, and a later round starts the ring.
    if (status < 0 && iotlb === null) {
      this.accessor.close()
      throw new VringError('ERR_INVALID_STATE', `queue ${vring.index} can't be started: ${this.#queue.broken}`, {
        field: 'ring',
      })
    }
  }

  get index(): number {
    return this.#vring.index
  }

  /** Negotiated virtio features. */
  get features(): bigint {
    return this.#vring.features
  }

  /** Why the ring is broken, or null. */
  get broken(): BrokenReason | null {
    return this.#queue.broken
  }

  /** Requests that were taken and not finished. */
  get open(): number {
    return this.#open
  }

  /**
   * Takes up to `max` requests: what an earlier device left in flight first, then what the driver made available; fewer
   * when `work` is full. Requests whose ring is malformed are not among them; the frontend is told of that once. One
   * whose buffers wait for a translation, or for a view that this turn does not make, is taken when they are there.
   */
  take(max: number): DeviceRequest[] {
    if (this.#queue.broken !== null || !this.#publishNoted()) return []
    if (this.accessor.beginRound() === 'miss') {
      this.accessor.endRound()
      return []
    }
    const requests: DeviceRequest[] = []
    if (this.#started || this.#start(true) === 0) {
      this.#takeRecovered(requests, max)
      if (this.#notes === null || this.#queue.pending === 0)
        this.#takeAvailable(requests, Math.min(max - requests.length, BATCH_CHAINS))
    }
    this.accessor.endRound()
    this.#open += requests.length
    this.#tellBroken()
    return requests
  }

  /** A request is done, and the device wrote `length` bytes from the beginning of its room. Published by {@link flush}. */
  finish(request: DeviceRequest, length: number): void {
    this.#open--
    this.#push(request.id, request.slots, request.note, length)
  }

  /** Publishes what is finished, and tells the driver if it wants to know. */
  flush(): void {
    const queue = this.#queue
    if (queue.pending === 0 || queue.broken !== null) return
    this.#notes?.publishing()
    if (this.accessor.beginRound() !== 'miss' && queue.flush() === 0) {
      this.#notes?.published()
      if (queue.needsNotification()) this.#vring.notify()
    }
    this.accessor.endRound()
    this.#tellBroken()
  }

  /** What is noted as done has to be published before more is noted as taken; false: it can't be now. */
  #publishNoted(): boolean {
    if (this.#notes !== null) this.flush()
    return this.#notes === null || this.#queue.pending === 0
  }

  /** Asks for kicks; true: there is work, do not sleep. */
  arm(): boolean {
    const queue = this.#queue
    if (!this.#started || queue.broken !== null) return false
    if (this.#notes !== null && this.#notes.left > 0) return !this.#missed
    if (this.accessor.beginRound() === 'miss') {
      this.accessor.endRound()
      return false
    }
    const more = queue.enableNotification() > 0
    this.accessor.endRound()
    return more || queue.pending > 0
  }

  /** Lets go of the ring; where it stopped, as `VhostUserDevice.stopQueue` returns it. */
  close(): number {
    this.flush()
    this.accessor.close()
    return this.#started ? this.#queue.base : this.#base
  }

  #takeRecovered(requests: DeviceRequest[], max: number): void {
    const notes = this.#notes
    if (notes === null) return
    this.#missed = false
    for (let looks = 0; requests.length < max && (looks === 0 || !work.full); looks++) {
      const noted = notes.next(batch)
      if (noted === null) return
      const { id, slots, note, status } = noted
      const found = status === 1 ? chainBuffers(0) : null
      this.#missed = status === EAGAIN || (found !== null && !this.#reach(...found))
      if (this.#missed) return
      notes.taken()
      // Noted by a device that is gone, and no chain now: the driver gets it back with nothing written.
      if (found === null) this.#push(id, slots, note, 0)
      else requests.push(new DeviceRequest(id, slots, ...found, this.#memory, note))
    }
  }

  #takeAvailable(requests: DeviceRequest[], max: number): void {
    if (max <= 0) return
    const count = this.#queue.popBatch(batch, max)
    let chain = 0
    for (; chain < count && (chain === 0 || !work.full); chain++) {
      const id = batch.idOf(chain)
      const found = chainBuffers(chain)
      if (!this.#reach(...found)) break
      const note = this.#notes?.take(batch, chain) ?? -1
      requests.push(new DeviceRequest(id, batch.slots[chain]!, ...found, this.#memory, note))
    }
    if (chain < count) this.#queue.rewind(batch, count - chain)
  }

  /**
   * Translates buffers, makes their views, and charges what they cost; false: one has to be waited for. The device
   * finds what can't be reached at all when it reads or writes it. The same holds for what lies in more pieces than an
   * IOTLB has room for.
   */
  #reach(readable: readonly RequestBuffer[], writable: readonly RequestBuffer[]): boolean {
    const buffers = this.#buffers
    let pieces = 0
    let bytes = 0
    for (const list of [readable, writable]) {
      const access = list === readable ? ACCESS_READ : ACCESS_WRITE
      for (const { address, length } of list) {
        bytes += length
        for (let done = 0; done < length && pieces < PIECES_MAX; done += buffers.span, pieces++) {
          const at = buffers.resolveSpan(address + done, length - done, access)
          if (at === EAGAIN) return false
          if (at < 0) break
        }
      }
    }
    // They are looked up here, and again where the device reads or writes them.
    work.chargePieces(2 * pieces)
    work.chargeBytes(Math.min(bytes, WORK_PER_LOOK * WORK_BYTES))
    return true
  }

  #push(id: number, slots: number, note: number, length: number): void {
    this.#notes?.use(note, slots)
    finished.used[0] = id
    finished.slots[0] = slots
    this.#queue.push(finished, 0, length)
  }

  /** The ring broke: the frontend is told once. */
  #tellBroken(): void {
    if (this.#queue.broken === null || this.#errorSignalled) return
    this.#errorSignalled = true
    this.#vring.signalError(this.#queue.broken)
  }

  /** Reads where the ring is; 0 or a negative errno. */
  #start(insideRound = false): number {
    const status = insideRound || this.accessor.beginRound() !== 'miss' ? this.#resume() : EAGAIN
    if (!insideRound) this.accessor.endRound()
    this.#started = status === 0
    return status
  }

  /**
   * With an inflight area the used index and what is in flight say where the ring is. Without, the frontend does. When
   * the used index says otherwise a device before this one died, and the ring goes on from there. What it had taken and
   * not given back is taken again.
   */
  #resume(): number {
    const queue = this.#queue
    const status = queue.start(packedBase(this.accessor.desc, queue.ring, this.#base))
    if (status < 0) return status
    let left = 0
    if (this.#notes === null) queue.resume()
    else {
      left = this.#notes.recover()
      if (left < 0) return left
    }
    if (queue.base === this.#base) return 0
    const flight = left === 0 ? '' : `, ${left} requests in flight,`
    const says = this.#notes === null ? 'the ring says' : 'ring and inflight area say'
    this.#vring.note(`the frontend's base is ${this.#base}; as ${says}${flight} it goes on at ${queue.base}`)
    return 0
  }
}

/** What the device may read of a chain of the batch, and what it may write. */
function chainBuffers(chain: number): [readable: RequestBuffer[], writable: RequestBuffer[]] {
  const [first, middle, end] = [batch.segStart[chain]!, batch.writeStart[chain]!, batch.segStart[chain + 1]!]
  return [buffersOf(first, middle), buffersOf(middle, end)]
}

function buffersOf(first: number, end: number): RequestBuffer[] {
  const list: RequestBuffer[] = []
  for (let segment = first; segment < end; segment++)
    list.push({ address: batch.address[segment]!, length: batch.length[segment]! })
  return list
}
