import { EAGAIN, refused, VringError } from '@vring/layout'
import type { VhostUserDevice } from '../device/device.ts'
import type { SessionHost, StateStream } from '../host/session-host.ts'
import { DEVICE_STATE_LOAD, DEVICE_STATE_SAVE, type DeviceStatePayload } from '../messages/payload.ts'

/** Bytes of a device's state at most: what a frontend can make this process keep. */
export const STATE_BYTES_MAX: number = 2 ** 24
/** Bytes that one step moves: rings of other sessions get their turn. */
const STEP_BYTES = 2 ** 16

/** A device's state on its way to or from the frontend (SET_DEVICE_STATE_FD). Nothing of it waits. */
export class SessionTransfer {
  readonly #device: VhostUserDevice
  readonly #host: SessionHost
  #stream: StateStream | null = null
  #direction = DEVICE_STATE_SAVE
  #bytes: Uint8Array = new Uint8Array(0)
  #done = 0
  /** What {@link check} says. */
  #outcome: { readonly error: unknown } | null = null

  constructor(device: VhostUserDevice, host: SessionHost) {
    this.#device = device
    this.#host = host
  }

  /** What to wait for being readable; -1: nothing. */
  get readFd(): number {
    return this.#stream !== null && this.#direction === DEVICE_STATE_LOAD ? this.#stream.fd : -1
  }

  /** What to wait for being writable; -1: nothing. */
  get writeFd(): number {
    return this.#stream !== null && this.#direction === DEVICE_STATE_SAVE ? this.#stream.fd : -1
  }

  /** A transfer is under way. */
  get active(): boolean {
    return this.#stream !== null
  }

  /**
   * Begins a transfer over a descriptor, which is taken over when this returns.
   *
   * @param rings running: none may
   * @throws VringError
   */
  begin(fd: number, { direction, phase }: DeviceStatePayload, rings: number): void {
    if (direction !== DEVICE_STATE_SAVE && direction !== DEVICE_STATE_LOAD)
      throw refused('ERR_PROTOCOL', 'direction', direction, `${DEVICE_STATE_SAVE} or ${DEVICE_STATE_LOAD}`)
    if (phase !== 0) throw refused('ERR_PROTOCOL', 'phase', phase, '0, the device is stopped')
    if (rings > 0) throw stillRunning('SET_DEVICE_STATE_FD', rings)
    if (this.#stream !== null)
      throw new VringError('ERR_INVALID_STATE', 'SET_DEVICE_STATE_FD: a transfer is under way', { field: 'fds' })
    const state = direction === DEVICE_STATE_SAVE ? this.#device.saveState!() : new Uint8Array(0)
    this.#stream = this.#host.stream(fd)
    this.#direction = direction
    this.#bytes = state
    this.#done = 0
    this.#outcome = null
  }

  /**
   * Moves on as far as the other side lets it.
   *
   * @param rings running: where one is, the state is not what it was, or is not to be changed any more, and the
   * transfer fails
   */
  step(rings: number): void {
    if (this.#stream === null) return
    try {
      if (rings > 0) throw stillRunning('a transfer', rings)
      if (this.#direction === DEVICE_STATE_SAVE) this.#save(this.#stream)
      else this.#load(this.#stream)
    } catch (error) {
      this.#end(error)
    }
  }

  /**
   * How the last transfer ended (CHECK_DEVICE_STATE).
   *
   * @throws what it failed with; VringError ERR_INVALID_STATE when there was none since the session began or was reset
   */
  check(): void {
    const outcome = this.#outcome
    if (outcome === null)
      throw new VringError('ERR_INVALID_STATE', 'CHECK_DEVICE_STATE: no state was transferred', { field: 'state' })
    if (outcome.error !== null) throw outcome.error
  }

  /** Forgets a transfer, with how it ended. */
  close(): void {
    this.#outcome = null
    this.#stop()
  }

  #stop(): void {
    this.#stream?.close()
    this.#stream = null
    this.#bytes = new Uint8Array(0)
  }

  #save(stream: StateStream): void {
    const count = stream.write(this.#bytes.subarray(this.#done, this.#done + STEP_BYTES))
    if (count !== EAGAIN) this.#done += count
    if (this.#done === this.#bytes.length) this.#end(null)
  }

  #load(stream: StateStream): void {
    if (this.#done === this.#bytes.length) {
      const grown = new Uint8Array(Math.max(STEP_BYTES, 2 * this.#bytes.length))
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    const count = stream.read(this.#bytes.subarray(this.#done, this.#done + STEP_BYTES))
    if (count === EAGAIN) return
    this.#done += count
    if (this.#done > STATE_BYTES_MAX)
      throw refused('ERR_OUT_OF_RANGE', 'device state', this.#done, `at most ${STATE_BYTES_MAX}`)
    if (count > 0) return
    const state = this.#bytes.slice(0, this.#done)
    this.#device.loadState!(state)
    this.#end(null)
  }

  #end(error: unknown): void {
    this.#stop()
    this.#outcome = { error }
  }
}

function stillRunning(what: string, rings: number): VringError {
  return new VringError('ERR_INVALID_STATE', `${what}: ${rings} rings are running`, { field: 'rings' })
}
