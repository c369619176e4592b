import { EventFd, PollSet } from '@vring/linux'
import { check, fail } from '../case.ts'
import { vringAddress, vringFd, vringState } from '../wire/payloads.ts'
import type { DriverRing, Used } from './driver-ring.ts'
import { pause, waitFor } from './pause.ts'
import type { Session } from './session.ts'

/** How long is looked that nothing happens, in ms. */
export const SETTLE_MS = 25

/** One queue of a session: its ring, its three eventfds, and the messages about it. */
export class Queue {
  readonly index: number
  readonly ring: DriverRing
  readonly kickFd: EventFd = EventFd.create()
  readonly callFd: EventFd = EventFd.create()
  readonly errorFd: EventFd = EventFd.create()
  readonly #session: Session
  readonly #call = new PollSet()
  readonly #error = new PollSet()

  constructor(session: Session, index: number, ring: DriverRing) {
    this.#session = session
    this.index = index
    this.ring = ring
    this.#call.watch([this.callFd.fd])
    this.#error.watch([this.errorFd.fd])
  }

  /** Everything that a ring needs but the kick: size, base, addresses, call and error. */
  configure(base: number = this.ring.base): void {
    this.sendSize()
    this.sendBase(base)
    this.sendAddress()
    this.sendCall()
    this.#session.tell('SET_VRING_ERR', vringFd(this.index, true), [this.errorFd.fd])
  }

  sendSize(size: number = this.ring.size): void {
    this.#session.tell('SET_VRING_NUM', vringState(this.index, size))
  }

  sendBase(base: number): void {
    this.#session.tell('SET_VRING_BASE', vringState(this.index, base))
  }

  /** @param logged writes to the used ring are noted in the dirty log */
  sendAddress(logged = false): void {
    this.#session.tell('SET_VRING_ADDR', this.addressPayload(logged))
  }

  /** Where the areas are, as the session's address space has them. */
  addressPayload(logged = false): Uint8Array {
    const { memory, desc, driver, device } = this.ring
    const at = (offset: number): number => this.#session.ringAddress(memory, offset)
    const [index, flags] = [this.index, logged ? 1 : 0]
    const log = logged ? memory.guest(device) : 0
    return vringAddress({ index, flags, desc: at(desc), used: at(device), avail: at(driver), log })
  }

  sendCall(): void {
    this.#session.tell('SET_VRING_CALL', vringFd(this.index, true), [this.callFd.fd])
  }

  /** SET_VRING_KICK: the ring may start. */
  sendKick(): void {
    this.#session.tell('SET_VRING_KICK', vringFd(this.index, true), [this.kickFd.fd])
  }

  enable(enabled = true): void {
    this.#session.tell('SET_VRING_ENABLE', vringState(this.index, enabled ? 1 : 0))
  }

  /** From nothing to running. */
  start(base: number = this.ring.base): this {
    this.configure(base)
    this.sendKick()
    if (this.#session.hasProtocolFeatures) this.enable()
    return this
  }

  /** GET_VRING_BASE: the ring stops; what the back-end says of its indices. */
  stop(): number {
    const { payload } = this.#session.connection.ask('GET_VRING_BASE', vringState(this.index, 0))
    if (payload.byteLength !== 8) fail(`GET_VRING_BASE: the answer has ${payload.byteLength} bytes, not 8`)
    const index = payload.getUint32(0, true)
    check(index === this.index, `GET_VRING_BASE of queue ${this.index} answers for queue ${index}`)
    return payload.getUint32(4, true)
  }

  kick(): void {
    this.kickFd.signal()
  }

  /**
   * Waits for used buffers.
   *
   * @throws CaseFailure when they do not come
   */
  used(count: number, timeoutMs: number = this.#session.connection.patienceMs): Used[] {
    const used: Used[] = []
    const enough = waitFor(() => {
      this.#session.attend()
      for (let one = this.ring.take(); one !== null; one = this.ring.take()) used.push(one)
      return used.length >= count
    }, timeoutMs)
    if (!enough) fail(`queue ${this.index}: ${used.length} of ${count} buffers used within ${timeoutMs / 1000} s`)
    return used
  }

  /**
   * Looks for a while that nothing is used.
   *
   * @param why for the failure: `the ring is stopped`
   */
  staysUnused(why: string, ms: number = SETTLE_MS): void {
    const end = performance.now() + ms
    while (performance.now() < end) {
      if (this.ring.take() !== null) fail(`queue ${this.index}: a buffer was used though ${why}`)
      pause(1)
    }
  }

  /** Gives the device time to do what it should not do. */
  settle(ms: number = SETTLE_MS): void {
    pause(ms)
  }

  /** Was there a call (within the time)? Takes it. */
  called(timeoutMs: number): boolean {
    this.#call.wait(timeoutMs)
    return this.callFd.drain()
  }

  /** Was the error eventfd signalled (within the time)? Takes it. */
  failed(timeoutMs: number): boolean {
    this.#error.wait(timeoutMs)
    return this.errorFd.drain()
  }

  close(): void {
    this.kickFd.close()
    this.callFd.close()
    this.errorFd.close()
  }
}
