import type { DeviceIotlb } from '@vring/iotlb'
import {
  isVringError,
  packedRingAreas,
  type RingAreas,
  refused,
  splitRingAreas,
  VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_RING_PACKED,
  VringError,
} from '@vring/layout'
import type { StartedVring, VhostUserDevice } from '../device/device.ts'
import type { RingEvent } from '../host/session-host.ts'
import type { SessionInflight } from '../inflight/session-inflight.ts'
import { VRING_F_LOG, type VringAddrPayload } from '../messages/payload.ts'
import { brokenLine } from '../report-fault.ts'
import type { SessionMemory } from './session-memory.ts'
import type { SessionNegotiation } from './session-negotiation.ts'
import { SessionVring } from './session-vring.ts'

/**
 * The rings of a session: started on the device when everything that they need was told, stopped when the frontend or its
 * memory says so.
 */
export class SessionRings {
  /** By queue index. */
  readonly vrings: readonly SessionVring[]
  readonly #device: VhostUserDevice
  readonly #memory: SessionMemory
  readonly #iotlb: DeviceIotlb
  readonly #negotiation: SessionNegotiation
  readonly #inflight: SessionInflight
  readonly #note: (line: string) => void
  #active: readonly number[] = []
  #generation = 0

  constructor(
    device: VhostUserDevice,
    memory: SessionMemory,
    iotlb: DeviceIotlb,
    negotiation: SessionNegotiation,
    inflight: SessionInflight,
    note: (line: string) => void,
  ) {
    this.#device = device
    this.#memory = memory
    this.#iotlb = iotlb
    this.#negotiation = negotiation
    this.#inflight = inflight
    this.#note = note
    this.vrings = Array.from(
      { length: device.queueCount },
      (_, index) => new SessionVring(index, (vring) => this.#exchanged(vring)),
    )
  }

  /** Indices of the rings that run, ascending. Replaced, never changed. */
  get active(): readonly number[] {
    return this.#active
  }

  /** Changes whenever {@link active} or a kick descriptor does. */
  get generation(): number {
    return this.#generation
  }

  /** @throws VringError ERR_PROTOCOL for an index that the device has not */
  at(index: number): SessionVring {
    const vring = this.vrings[index]
    if (vring === undefined) throw refused('ERR_PROTOCOL', 'queue index', index, `0 to ${this.vrings.length - 1}`)
    return vring
  }

  /**
   * A ring that may be changed.
   *
   * @param field for messages: the request that wants to change it
   * @throws VringError ERR_PROTOCOL, ERR_INVALID_STATE while it runs
   */
  stoppedAt(index: number, field: string): SessionVring {
    const vring = this.at(index)
    if (vring.running)
      throw new VringError('ERR_INVALID_STATE', `${field}: queue ${index} is running; GET_VRING_BASE stops it`, {
        field,
      })
    return vring
  }

  /**
   * The frontend kicks a ring off (SET_VRING_KICK): it starts as soon as nothing else is missing.
   *
   * @param event null: the device polls the ring
   * @throws VringError when it can't be started; the event is closed then
   */
  kick(vring: SessionVring, event: RingEvent | null): void {
    vring.setKick(event)
    this.#generation++
    try {
      this.#start(vring)
    } catch (error) {
      vring.dropKick()
      throw error
    }
  }

  /** The rings are packed ones. */
  get packed(): boolean {
    return this.#negotiation.has(VIRTIO_F_RING_PACKED)
  }

  /** Everything that the device took of the ring was given back, and it takes no more. */
  drained(vring: SessionVring): boolean {
    return !vring.running || (this.#device.drainQueue?.(vring.index) ?? true)
  }

  /** Lets a ring have effects, or no longer (SET_VRING_ENABLE). */
  enable(vring: SessionVring, enabled: boolean): void {
    if (vring.enabled === enabled) return
    vring.enabled = enabled
    if (vring.running) this.#device.setQueueEnabled(vring.index, enabled)
  }

  /**
   * Moves a ring that may run: it goes on from where it was; where it was is where it stays when that is refused. What
   * can be known to be wrong is refused now, though the ring does not start yet.
   */
  move(vring: SessionVring, address: VringAddrPayload): void {
    const before = vring.address
    this.#stop(vring)
    vring.address = address
    try {
      if (this.#negotiation.settled && vring.size > 0) this.#mappedAreas(vring)
      this.#start(vring)
    } catch (error) {
      vring.address = before
      if (before !== null) this.#start(vring)
      throw error
    }
  }

  /**
   * What a guest wrote for a ring is refused and no answer was asked for. The ring does not run until it is set up
   * again. The others go on.
   */
  break(vring: SessionVring, request: string, error: VringError): void {
    this.#stop(vring)
    if (request === 'SET_VRING_NUM') vring.size = 0
    if (request === 'SET_VRING_ADDR') vring.address = null
    this.#refuse(vring, request, error)
  }

  /** Stops a ring until it is kicked again. */
  stopForGood(vring: SessionVring): void {
    this.#stop(vring)
    vring.dropKick()
    this.#generation++
  }

  /** Something came that rings may have waited for, such as their regions: those that have everything now start. */
  startWaiting(): void {
    for (const vring of this.vrings) {
      if (!this.#isReady(vring)) continue
      try {
        if (this.#hasPlatform || this.#isMapped(this.#areas(vring))) this.#start(vring)
      } catch (error) {
        // What was asked is done; that this ring does not start is the ring's error.
        const { message } = error as Error
        const known = isVringError(error) ? error : new VringError('ERR_INVALID_STATE', message, { cause: error })
        // Each change of memory tries again: the reason is said once.
        if (vring.refusal?.error.message !== message) this.#note(`queue ${vring.index} does not start: ${message}`)
        this.#refuse(vring, 'SET_VRING_KICK', known)
      }
    }
  }

  /** The old regions are out of the space and still mapped: rings that lost theirs stop. */
  stopUnmapped(): void {
    // Where rings have IOVAs a missing translation is a miss, and no reason to stop.
    if (this.#hasPlatform) return
    for (const vring of this.vrings) {
      if (!vring.running || this.#isMapped(this.#areas(vring))) continue
      this.#stop(vring)
      vring.error?.signal()
    }
  }

  /**
   * Stops all rings and forgets what was told of them.
   *
   * @throws what the device threw first; all rings are stopped and reset then, too
   */
  reset(): void {
    const failures: unknown[] = []
    for (const vring of this.vrings) {
      try {
        this.#stop(vring)
      } catch (error) {
        failures.push(error)
      }
      vring.reset()
    }
    if (failures.length > 0) throw failures[0]
  }

  get #hasPlatform(): boolean {
    return this.#negotiation.has(VIRTIO_F_ACCESS_PLATFORM)
  }

  /** Starts a ring once everything it needs was told; else it waits for the rest. */
  #start(vring: SessionVring): void {
    if (!this.#isReady(vring)) return
    const ring = this.#mappedAreas(vring)
    if (ring === null) return
    this.#device.startQueue(this.#startedVring(vring, ring))
    vring.running = true
    vring.refusal = null
    if (vring.enabled) this.#device.setQueueEnabled(vring.index, true)
    this.#changed()
  }

  #stop(vring: SessionVring): void {
    if (!vring.running) return
    vring.running = false
    this.#changed()
    vring.base = this.#device.stopQueue(vring.index) >>> 0
  }

  #exchanged(vring: SessionVring): void {
    if (vring.running) this.#device.queueEvents?.(vring.index, vring.events)
  }

  #changed(): void {
    this.#active = this.vrings.filter((vring) => vring.running).map((vring) => vring.index)
    this.#generation++
  }

  /** Stopped, and everything was told that a ring needs. */
  #isReady(vring: SessionVring): boolean {
    return !vring.running && vring.kicked && this.#negotiation.settled && vring.size > 0 && vring.address !== null
  }

  #startedVring(vring: SessionVring, ring: RingAreas): StartedVring {
    const { flags, log } = vring.address!
    return {
      index: vring.index,
      ring,
      base: vring.base,
      features: this.#negotiation.features,
      memory: this.#memory,
      usedLogAddress: (flags & VRING_F_LOG) !== 0 ? log : null,
      events: vring.events,
      kicked: () => vring.kickCame,
      notify: () => vring.call?.signal(),
      signalError: (reason) => {
        this.#note(brokenLine(vring.index, reason))
        vring.error?.signal()
      },
      iotlb: this.#hasPlatform ? this.#iotlb : null,
      inflight: this.#device.tracksInflight === true ? this.#inflight.queue(vring.index, vring.size) : null,
      note: (line) => this.#note(`queue ${vring.index}: ${line}`),
    }
  }

  #areas(vring: SessionVring): RingAreas {
    const { desc, avail, used } = vring.address!
    const areas = this.#negotiation.has(VIRTIO_F_RING_PACKED) ? packedRingAreas : splitRingAreas
    return areas(vring.size, this.#negotiation.has(VIRTIO_F_EVENT_IDX), desc, avail, used)
  }

  /**
   * Where a ring is; null: there is no memory yet.
   *
   * @throws VringError for areas that can't be a ring's, and for those outside the memory
   */
  #mappedAreas(vring: SessionVring): RingAreas | null {
    const ring = this.#areas(vring)
    if (this.#hasPlatform) return ring
    if (this.#memory.isEmpty) return null
    if (this.#isMapped(ring)) return ring
    throw refused(
      'ERR_OUT_OF_RANGE',
      `ring of queue ${vring.index}`,
      `at 0x${ring.desc.address.toString(16)}`,
      'inside the memory table',
    )
  }

  #refuse(vring: SessionVring, request: string, error: VringError): void {
    vring.refusal = { request, error }
    vring.error?.signal()
  }

  #isMapped(ring: RingAreas): boolean {
    const { space } = this.#memory
    return [ring.desc, ring.driver, ring.device].every(({ address, length }) => space.covers(address, length))
  }
}
