import type { RingEvent } from './session-host.ts'

/** Looks at {@link NotedKick.came} between two system calls. */
const LOOKS_PER_CALL = 64

/** The kick of a ring, which knows whether its driver has signalled it: that starts a ring (vhost-user, "Ring states"). */
export class NotedKick implements RingEvent {
  readonly #event: RingEvent
  #came = false
  #looks = 0

  constructor(event: RingEvent) {
    this.#event = event
  }

  get fd(): number {
    return this.#event.fd
  }

  /** The driver has kicked since the frontend gave this descriptor; asked of the kernel by one look in 64 until it has. */
  get came(): boolean {
    if (!this.#came && ++this.#looks % LOOKS_PER_CALL === 0) this.drain()
    return this.#came
  }

  signal(): void {
    this.#event.signal()
  }

  drain(): boolean {
    const came = this.#event.drain()
    this.#came ||= came
    return came
  }

  close(): void {
    this.#event.close()
  }
}
