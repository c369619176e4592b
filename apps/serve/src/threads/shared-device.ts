import { Follower, type HomeEnd, SharedOutDevice } from '@vring/vhost-user'
import { type CaptureSpec, captureFiles } from '../config/capture-spec.ts'
import { mergeSnapshots } from '../status/merge-snapshots.ts'
import type { Snapshot } from '../status/snapshot.ts'
import type { DeviceCommand, WorkerCommand } from './protocol.ts'
import type { ServedDevice } from './served-device.ts'

/** The device with its other threads, as the home of its sessions has it. */
export class SharedDevice {
  /** What sessions see. */
  readonly device: ServedDevice | SharedOutDevice
  readonly #own: ServedDevice
  readonly #shared: SharedOutDevice | null
  readonly #followers: readonly Follower[]

  /**
   * @param ends of the other threads, from number 1
   * @param onOverdue a thread does not answer: it is to be ended
   */
  constructor(own: ServedDevice, ends: readonly HomeEnd[], onOverdue: (thread: number) => void) {
    this.#own = own
    this.#followers = ends.map(
      (end, index) => new Follower(end, { thread: index + 1, onOverdue: () => onOverdue(index + 1) }),
    )
    const threads = ends.length + 1
    const pairRings = 2 * own.queueNum
    this.#shared =
      threads === 1
        ? null
        : new SharedOutDevice({
            device: own,
            followers: this.#followers,
            threadOf: (index) => (index < pairRings ? (index >>> 1) % threads : 0),
          })
    this.device = this.#shared ?? own
  }

  tellAll(command: DeviceCommand): unknown[] {
    return this.#shared?.tellAll(command) ?? []
  }

  /** Goes over to the first `count` pairs, thread by thread, as queues go from one to another with it. */
  changePairs(count: number, own: () => void): void {
    this.#shared?.quiesce()
    try {
      own()
      for (const one of this.#followers) this.#shared!.tell(one.thread, { kind: 'pairs', count })
    } finally {
      this.#shared?.resume()
    }
  }

  snapshot(): Snapshot {
    if (this.#shared === null) return this.#own.snapshot()
    return mergeSnapshots([this.#own.snapshot(), ...(this.tellAll({ kind: 'snapshot' }) as (Snapshot | undefined)[])])
  }

  /** Null, or why it was not done. */
  run(command: WorkerCommand): string | null {
    try {
      if (command.kind === 'end-capture') {
        const ended = [obey(this.#own, command), ...this.tellAll(command)]
        return ended.includes(true) ? null : `no capture goes to ${command.path}`
      }
      this.#beginCapture(command.spec)
      return null
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }

  /** Begins each of its files in the thread of its pair, or none of them. */
  #beginCapture(capture: CaptureSpec): void {
    const threads = this.#followers.length + 1
    const begun: CaptureSpec[] = []
    const tell = (spec: CaptureSpec, command: DeviceCommand): unknown => {
      const thread = (spec.pair ?? 0) % threads
      return thread === 0 ? obey(this.#own, command) : this.#shared!.tell(thread, command)
    }
    try {
      for (const spec of captureFiles('file', capture, this.#own.queueNum, threads)) {
        tell(spec, { kind: 'begin-capture', spec })
        begun.push(spec)
      }
    } catch (error) {
      for (const spec of begun) tell(spec, { kind: 'end-capture', path: spec.path })
      throw error
    }
  }

  /** What is wrong with another thread, and its session ends with; null: nothing. */
  trouble(): string | null {
    for (const one of this.#followers) {
      const fault = one.takeFault()
      if (fault !== null) return `thread ${one.thread} of the device: ${fault}`
      if (one.hasEnded) return `thread ${one.thread} of the device has ended`
    }
    return null
  }

  /** Another thread has ended: the device can't go on. */
  get hasEnded(): boolean {
    return this.#followers.some((one) => one.hasEnded)
  }
}

/** What each thread does of what the device is told. */
export function obey(device: ServedDevice, command: DeviceCommand): unknown {
  switch (command.kind) {
    case 'snapshot':
      return device.snapshot()
    case 'pairs':
      return device.setPairs(command.count)
    case 'begin-capture':
      return device.beginCapture(command.spec)
    case 'end-capture':
      return device.endCapture(command.path)
  }
}
