import { refused, VringError } from '@vring/layout'
import type { DeviceLink, DeviceMemory, QueueEvents, StartedVring, VhostUserDevice } from '../device/device.ts'
import { changeOf, type SharedMemory } from './shared-memory.ts'
import type { Follower } from './thread-link.ts'

export interface SharedOutOptions {
  /** The device as this thread has it: it is asked about everything but the rings of others. */
  readonly device: VhostUserDevice
  /** Threads 1, 2, ..., each with a `FollowedSession` over a device of the same kind. */
  readonly followers: readonly Follower[]
  /** The thread that serves a ring; 0: this one, the session's home. */
  readonly threadOf: (index: number) => number
}

/**
 * A device whose rings are shared out over threads. This is what its session sees, in the session's home. Rings of
 * other threads are started and stopped there. While memory or rings change, every thread stands between two rounds.
 */
export class SharedOutDevice implements VhostUserDevice {
  readonly features: bigint
  readonly queueCount: number
  readonly queueNum: number
  declare readonly deviceId?: number
  declare readonly queueSizeMax?: number
  declare readonly configBytes?: number
  declare readConfig?: (offset: number, into: Uint8Array) => void
  declare writeConfig?: (offset: number, bytes: Uint8Array, migration: boolean) => void
  declare connected?: (link: DeviceLink) => void
  declare setStatus?: (status: number) => void
  declare setMtu?: (mtu: number) => void
  declare sendRarp?: (mac: Uint8Array) => void
  readonly #device: VhostUserDevice
  readonly #followers: readonly Follower[]
  readonly #threadOf: (index: number) => number
  /** Changes under way: one may begin within another. */
  #quiesced = 0
  /** The memory that the threads know of. */
  #told: SharedMemory = { regions: [], log: null }

  /** @throws VringError ERR_UNSUPPORTED for a device whose chains are in flight for longer than a round */
  constructor({ device, followers, threadOf }: SharedOutOptions) {
    if (device.tracksInflight === true || device.drainQueue !== undefined || device.saveState !== undefined)
      throw refused(
        'ERR_UNSUPPORTED',
        'device',
        'one with requests in flight',
        'one that is done with chains in their round',
      )
    this.#device = device
    this.#followers = followers
    this.#threadOf = threadOf
    this.features = device.features
    this.queueCount = device.queueCount
    this.queueNum = device.queueNum
    // A session offers by what is there.
    for (const name of ['deviceId', 'queueSizeMax', 'configBytes'] as const)
      if (device[name] !== undefined) Object.assign(this, { [name]: device[name] })
    for (const name of ['readConfig', 'writeConfig', 'connected', 'setStatus', 'setMtu', 'sendRarp'] as const)
      if (device[name] !== undefined) Object.assign(this, { [name]: device[name].bind(device) })
  }

  get wakeFds(): readonly number[] {
    return this.#device.wakeFds ?? NO_FDS
  }

  get roomFds(): readonly number[] {
    return this.#device.roomFds ?? NO_FDS
  }

  get sleepMs(): number {
    return this.#device.sleepMs ?? -1
  }

  isElsewhere(index: number): boolean {
    return this.#threadOf(index) !== 0
  }

  serveQueue(index: number): number {
    return this.#device.serveQueue(index)
  }

  armQueue(index: number): boolean {
    return this.#device.armQueue(index)
  }

  startQueue(vring: StartedVring): void {
    const follower = this.#followerOf(vring.index)
    if (follower === null) {
      this.#device.startQueue(vring)
      return
    }
    const { index, ring, base, features, usedLogAddress, events, iotlb } = vring
    if (follower.hasEnded)
      throw new VringError('ERR_INVALID_STATE', `queue ${index}: thread ${follower.thread} has ended`, {
        field: 'thread',
      })
    if (iotlb !== null) throw refused('ERR_UNSUPPORTED', `queue ${index}`, 'with an IOTLB', 'rings of the home')
    follower.call({ kind: 'start', vring: { index, ring, base, features, usedLogAddress, events } })
  }

  stopQueue(index: number): number {
    const follower = this.#followerOf(index)
    if (follower === null) return this.#device.stopQueue(index)
    return Number(follower.call({ kind: 'stop', index }) ?? 0)
  }

  setQueueEnabled(index: number, enabled: boolean): void {
    const follower = this.#followerOf(index)
    if (follower === null) this.#device.setQueueEnabled(index, enabled)
    else follower.call({ kind: 'enable', index, enabled })
  }

  queueEvents(index: number, events: QueueEvents): void {
    const follower = this.#followerOf(index)
    if (follower === null) this.#device.queueEvents?.(index, events)
    else follower.call({ kind: 'events', index, events })
  }

  /** Returns when every thread that lives stands between two rounds. */
  quiesce(): void {
    this.#device.quiesce?.()
    if (++this.#quiesced === 1) this.#callAll({ kind: 'quiesce' })
  }

  /** Does not wait: each of them has a turn over its rings before it stands again. */
  resume(): void {
    if (--this.#quiesced === 0) for (const one of this.#followers) if (!one.hasEnded) one.send({ kind: 'resume' })
    this.#device.resume?.()
  }

  memoryChanged(memory: DeviceMemory): void {
    this.#tellMemory(memory.shared)
    this.#device.memoryChanged?.(memory)
  }

  logChanged(memory: DeviceMemory): void {
    this.#tellMemory(memory.shared)
    this.#device.logChanged?.(memory)
  }

  reset(): void {
    this.#callAll({ kind: 'reset' })
    this.#device.reset?.()
  }

  /**
   * Has the threads that follow do something of the device's own between two rounds, all at the same time.
   *
   * @param data plain
   * @returns their answers by thread, from 1; undefined: it has ended
   * @throws VringError that the first one refused it with
   */
  tellAll(data: unknown): unknown[] {
    return this.#callAll({ kind: 'device', data })
  }

  /** {@link tellAll} of one thread, from 1. */
  tell(thread: number, data: unknown): unknown {
    return this.#followers[thread - 1]!.call({ kind: 'device', data })
  }

  #tellMemory(now: SharedMemory): void {
    const change = changeOf(this.#told, now)
    this.#told = now
    this.#callAll({ kind: 'memory', change })
  }

  #followerOf(index: number): Follower | null {
    const thread = this.#threadOf(index)
    return thread === 0 ? null : this.#followers[thread - 1]!
  }

  #callAll(command: Parameters<Follower['send']>[0]): unknown[] {
    const numbers = this.#followers.map((one) => (one.hasEnded ? -1 : one.send(command)))
    const failures: unknown[] = []
    const answers = this.#followers.map((one, i) => {
      try {
        return numbers[i]! < 0 ? undefined : one.answer(numbers[i]!)
      } catch (error) {
        failures.push(error)
        return undefined
      }
    })
    // Every one is waited for: none is left in the middle of it.
    if (failures.length > 0) throw failures[0]
    return answers
  }
}

const NO_FDS: readonly number[] = []
