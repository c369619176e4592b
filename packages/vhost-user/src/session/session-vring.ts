import type { VringError } from '@vring/layout'
import type { QueueEvents } from '../device/device.ts'
import { NotedKick } from '../host/noted-kick.ts'
import type { RingEvent } from '../host/session-host.ts'
import type { VringAddrPayload } from '../messages/payload.ts'

/**
 * What a session knows of one ring.
 *
 * ```
 *              SET_VRING_KICK                     GET_VRING_BASE, RESET_DEVICE, memory gone
 *   stopped ──────────────────▶ running ──────────────────────────────────────────────────▶ stopped
 *                              (enabled or disabled by SET_VRING_ENABLE)
 * ```
 */
export class SessionVring {
  readonly index: number
  /** Entries; 0: not told yet. */
  size = 0
  address: VringAddrPayload | null = null
  /** Where to start, and where the device stopped: as SET_VRING_BASE says it. */
  base = 0
  /** Null while stopped, and in polling mode. */
  kick: RingEvent | null = null
  /** SET_VRING_KICK came without a descriptor: the device polls. */
  polled = false
  call: RingEvent | null = null
  error: RingEvent | null = null
  enabled = false
  running = false
  /** Why it does not run though its frontend believes so: the request and what is wrong with it; null: nothing is. */
  refusal: { readonly request: string; readonly error: VringError } | null = null

  #noted: NotedKick | null = null
  readonly #onEvents: (vring: SessionVring) => void

  /** @param onEvents called when a descriptor is another now, and the one before is still open */
  constructor(index: number, onEvents: (vring: SessionVring) => void = () => {}) {
    this.index = index
    this.#onEvents = onEvents
  }

  /** Its descriptors. */
  get events(): QueueEvents {
    const { kick, call, error, polled } = this
    return { kick: kick?.fd ?? -1, call: call?.fd ?? -1, error: error?.fd ?? -1, polled }
  }

  /** SET_VRING_KICK came since the ring was stopped last. */
  get kicked(): boolean {
    return this.kick !== null || this.polled
  }

  /** The driver has kicked since SET_VRING_KICK, or the ring is polled. */
  get kickCame(): boolean {
    return this.polled || this.#noted?.came === true
  }

  setKick(event: RingEvent | null): void {
    const before = this.kick
    this.#noted = event === null ? null : new NotedKick(event)
    this.kick = this.#noted
    this.polled = event === null
    this.#exchanged(before)
  }

  setCall(event: RingEvent | null): void {
    const before = this.call
    this.call = event
    this.#exchanged(before)
  }

  setError(event: RingEvent | null): void {
    const before = this.error
    this.error = event
    this.#exchanged(before)
  }

  /** The ring is stopped: it starts again with a new kick. */
  dropKick(): void {
    this.setKick(null)
    this.polled = false
  }

  #exchanged(before: RingEvent | null): void {
    try {
      this.#onEvents(this)
    } finally {
      before?.close()
    }
  }

  /** Back to the state before the first message. */
  reset(): void {
    this.dropKick()
    this.setCall(null)
    this.setError(null)
    this.size = 0
    this.address = null
    this.base = 0
    this.enabled = false
    this.running = false
    this.refusal = null
  }
}
