import { duplicateFd } from '@vring/linux'
import type { QueueEvents, VhostUserDevice } from '../device/device.ts'
import { linuxHost } from '../host/linux-host.ts'
import { NotedKick } from '../host/noted-kick.ts'
import type { RingEvent, RingEventUse } from '../host/session-host.ts'
import { brokenLine, describeFault, type FaultHandler, reportFault, reportNote } from '../report-fault.ts'
import type { WorkerSession } from '../worker/worker-session.ts'
import { FollowedMemory } from './followed-memory.ts'
import type { SharedVring, ThreadCommand } from './thread-command.ts'
import { type FollowerEnd, Home } from './thread-link.ts'

export interface FollowedSessionOptions {
  readonly end: FollowerEnd
  /** The device as this thread has it: it is given this thread's rings, and no message. */
  readonly device: VhostUserDevice
  /** Answers commands of the device's own, see `SharedOutDevice.tell`. Default: none are known. */
  readonly onCommand?: (data: unknown) => unknown
  /** Hears what the device threw. Default {@link reportFault}. */
  readonly onFault?: FaultHandler
  /** Takes a line for people. Default: standard error. */
  readonly onNote?: (line: string) => void
}

interface FollowedVring {
  kick: NotedKick | null
  call: RingEvent | null
  error: RingEvent | null
  polled: boolean
  /** Where it stopped by itself, as its device threw; null: it did not. */
  stoppedAt: number | null
}

const NO_FDS = { read: -1, write: -1 }

/**
 * The rings of a session that this thread serves while another one, the session's home, has its socket and its memory.
 * It is given to a `VhostUserWorker` as any session is. It lives as long as the thread, through all sessions of the
 * home.
 */
export class FollowedSession implements WorkerSession {
  readonly memory: FollowedMemory = new FollowedMemory()
  readonly vrings: readonly FollowedVring[]
  readonly closed = false
  readonly waiting = false
  readonly patienceMs = -1
  readonly transferFds: { readonly read: number; readonly write: number } = NO_FDS
  activeQueues: readonly number[] = []
  generation = 0
  readonly #home: Home
  readonly #device: VhostUserDevice
  readonly #onCommand: (data: unknown) => unknown
  readonly #onFault: FaultHandler
  readonly #onNote: (line: string) => void
  readonly #handle = (command: ThreadCommand): unknown => this.#run(command)
  #held = false

  constructor({ end, device, onCommand, onFault, onNote }: FollowedSessionOptions) {
    this.#home = new Home(end)
    this.#device = device
    this.#onCommand = onCommand ?? (() => undefined)
    this.#onFault = onFault ?? reportFault
    this.#onNote = onNote ?? reportNote
    this.vrings = Array.from({ length: device.queueCount }, () => ({
      ...{ kick: null, call: null, error: null, polled: false, stoppedAt: null },
    }))
  }

  /** Readable when the home has a command. */
  get fd(): number {
    return this.#home.fd
  }

  /** Does what the home says. While the home changes memory or rings it does not return: no round is under way then. */
  poll(): 'handled' {
    this.#home.take(this.#handle)
    while (this.#held && !this.#home.hasEnded) this.#home.next(this.#handle)
    if (this.#home.hasEnded) this.#abandon()
    return 'handled'
  }

  /** The home has ended, whatever by: what it mapped is looked at no longer. */
  #abandon(): void {
    this.#stopAll()
    for (const index of this.vrings.keys()) this.#dropEvents(index)
    this.memory.forget()
  }

  /** Pages of the memory are lost: the home looks which, and ends its session. */
  checkMemory(): void {
    this.#home.wake()
  }

  /** The device threw: its rings stop here, and the home ends its session. This goes on, for the next one. */
  close(error?: unknown): void {
    this.#onFault(error)
    this.#stopAll()
    this.#home.fault(describeFault(error))
  }

  #stopAll(): void {
    for (const index of this.activeQueues) {
      try {
        this.vrings[index]!.stoppedAt = this.#device.stopQueue(index)
      } catch {
        this.vrings[index]!.stoppedAt = 0
      }
    }
    this.#active([])
  }

  #run(command: ThreadCommand): unknown {
    switch (command.kind) {
      case 'quiesce':
        this.#held = true
        return undefined
      case 'resume':
        this.#held = false
        return undefined
      case 'memory':
        return this.memory.follow(command.change)
      case 'start':
        return this.#start(command.vring)
      case 'stop':
        return this.#stop(command.index)
      case 'enable':
        return this.#device.setQueueEnabled(command.index, command.enabled)
      case 'events':
        return this.#setEvents(command.index, command.events)
      case 'reset':
        return this.#device.reset?.()
      case 'device':
        return this.#onCommand(command.data)
    }
  }

  #start({ index, ring, base, features, usedLogAddress, events }: SharedVring): void {
    const vring = this.vrings[index]!
    vring.stoppedAt = null
    this.#setEvents(index, events)
    try {
      this.#device.startQueue({
        ...{ index, ring, base, features, usedLogAddress, events },
        memory: this.memory,
        kicked: () => vring.polled || vring.kick?.came === true,
        notify: () => vring.call?.signal(),
        signalError: (reason) => {
          this.#onNote(brokenLine(index, reason))
          vring.error?.signal()
        },
        iotlb: null,
        inflight: null,
        note: (line) => this.#onNote(`queue ${index}: ${line}`),
      })
    } catch (error) {
      this.#dropEvents(index)
      throw error
    }
    this.#active([...this.activeQueues, index].sort((one, other) => one - other))
  }

  #stop(index: number): number {
    const vring = this.vrings[index]!
    const at = vring.stoppedAt
    vring.stoppedAt = null
    try {
      if (at !== null) return at
      this.#active(this.activeQueues.filter((one) => one !== index))
      return this.#device.stopQueue(index)
    } finally {
      this.#dropEvents(index)
    }
  }

  /** Descriptors of its own for the same open files: when the home closes its own, these are still what they were. */
  #setEvents(index: number, { kick, call, error, polled }: QueueEvents): void {
    this.#dropEvents(index)
    const vring = this.vrings[index]!
    const event = ringEvent(kick, 'kick')
    vring.kick = event === null ? null : new NotedKick(event)
    vring.call = ringEvent(call, 'signal')
    vring.error = ringEvent(error, 'signal')
    vring.polled = polled
    this.generation++
  }

  #dropEvents(index: number): void {
    const vring = this.vrings[index]!
    for (const name of ['kick', 'call', 'error'] as const) {
      vring[name]?.close()
      vring[name] = null
    }
    vring.polled = false
    this.generation++
  }

  #active(queues: readonly number[]): void {
    this.activeQueues = queues
    this.generation++
  }
}

function ringEvent(fd: number, use: RingEventUse): RingEvent | null {
  return fd < 0 ? null : linuxHost.ringEvent(duplicateFd(fd), use)
}
