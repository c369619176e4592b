import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { isVringError, VringError, type VringErrorCode } from '@vring/layout'
import { EventFd } from '@vring/linux'
import { describeFault } from '../report-fault.ts'
import type { ThreadCommand } from './thread-command.ts'

/** Int32 cells that two threads of a device share. */
const CELL = {
  /** Commands so far. */
  commands: 0,
  /** Number of the last command that was answered. */
  answers: 1,
  /** Changes with each answer, each fault and the end: what the home waits on. */
  events: 2,
  /** Faults so far. */
  faults: 3,
  /** 1: the thread has ended, whatever it ended by. */
  ended: 4,
  /** 1: the home has ended. */
  homeEnded: 5,
  count: 6,
} as const

/** A MessagePort of node:worker_threads, by the part of it that needs no types of Node. */
export interface LinkPort {
  postMessage(message: unknown): void
}

/** The end of a thread that follows: plain data, to be given to it when it starts; `port` is transferred. */
export interface FollowerEnd {
  readonly cells: SharedArrayBuffer
  /** Eventfd that wakes the follower. */
  readonly bellFd: number
  /** Eventfd that wakes the home. */
  readonly homeFd: number
  readonly port: LinkPort
}

/** The end of the home, alike. */
export interface HomeEnd {
  readonly cells: SharedArrayBuffer
  readonly bellFd: number
  readonly port: LinkPort
}

interface Answer {
  /** Of the command; 0: a fault, which was not asked for. */
  readonly number: number
  readonly fault?: string
  readonly result?: unknown
  readonly error?: { readonly code: VringErrorCode; readonly message: string; readonly field: string | undefined }
}

/** Between a session's home and a thread that follows it, made by the thread that starts both. */
export class ThreadLink {
  readonly home: HomeEnd
  readonly follower: FollowerEnd
  readonly #bell: EventFd
  readonly #cells: Int32Array

  /** @param homeFd eventfd that wakes the home. @throws VringError ERR_SYSTEM */
  constructor(homeFd: number) {
    const cells = new SharedArrayBuffer(4 * CELL.count)
    const { port1, port2 } = new MessageChannel()
    this.#bell = EventFd.create()
    this.#cells = new Int32Array(cells)
    this.home = { cells, bellFd: this.#bell.fd, port: port1 }
    this.follower = { cells, bellFd: this.#bell.fd, homeFd, port: port2 }
  }

  /** The follower has ended: nothing of it touches memory any more. The home goes on without it. */
  ended(): void {
    Atomics.store(this.#cells, CELL.ended, 1)
    Atomics.add(this.#cells, CELL.events, 1)
    Atomics.notify(this.#cells, CELL.events)
  }

  /** The home has ended: the follower lets go of its memory and waits for it no longer. */
  homeEnded(): void {
    Atomics.store(this.#cells, CELL.homeEnded, 1)
    Atomics.notify(this.#cells, CELL.commands)
    this.#bell.signal()
  }

  /** Both threads have ended. */
  close(): void {
    this.#bell.close()
  }
}

/** How long a follower may take to come to a stand or to answer, in ms: what it does between two looks is bounded. */
export const FOLLOWER_MS = 5000
/** How often a thread that waits for another looks whether that has ended, in ms. */
const LOOK_MS = 1000

export interface FollowerOptions {
  /** Number of the thread, for messages. */
  readonly thread: number
  /** Default {@link FOLLOWER_MS}. */
  readonly limitMs?: number
  /**
   * It did not answer in time: it is to be ended, and {@link ThreadLink.ended} told. Until then the home waits: memory that
   * another thread may be writing to can't be given back.
   */
  readonly onOverdue: () => void
}

/** A thread that follows, as the home of the session sees it: a command, its answer, one after the other. */
export class Follower {
  readonly thread: number
  readonly #cells: Int32Array
  readonly #bell: EventFd
  readonly #port: MessagePort
  readonly #limitMs: number
  readonly #onOverdue: () => void
  #faults = 0
  #fault: string | null = null

  constructor(end: HomeEnd, { thread, limitMs = FOLLOWER_MS, onOverdue }: FollowerOptions) {
    this.thread = thread
    this.#cells = new Int32Array(end.cells)
    this.#bell = new EventFd(end.bellFd)
    this.#port = end.port as MessagePort
    this.#limitMs = limitMs
    this.#onOverdue = onOverdue
  }

  /** It has ended: commands do nothing. */
  get hasEnded(): boolean {
    return Atomics.load(this.#cells, CELL.ended) === 1
  }

  /** What its device threw since this was asked last, or null. Costs a load while there is nothing. */
  takeFault(): string | null {
    const faults = Atomics.load(this.#cells, CELL.faults)
    if (faults === this.#faults) return null
    this.#faults = faults
    for (let one = this.#next(); one !== undefined; one = this.#next());
    const fault = this.#fault
    this.#fault = null
    return fault
  }

  /**
   * Gives it a command, which {@link answer} waits for: several followers work on theirs at the same time. @returns its
   * number
   */
  send(command: ThreadCommand): number {
    this.#port.postMessage(command)
    const number = Atomics.add(this.#cells, CELL.commands, 1) + 1
    Atomics.notify(this.#cells, CELL.commands)
    this.#bell.signal()
    return number
  }

  /**
   * What came of a command. Blocks the thread.
   *
   * @returns what it gave; undefined when the thread has ended
   * @throws VringError that the command was refused with
   */
  answer(number: number): unknown {
    const cells = this.#cells
    const due = performance.now() + this.#limitMs
    let overdue = false
    for (;;) {
      const events = Atomics.load(cells, CELL.events)
      if (Atomics.load(cells, CELL.answers) >= number) return this.#take(number)
      if (this.hasEnded) return undefined
      const left = due - performance.now()
      if (left <= 0 && !overdue) {
        overdue = true
        this.#onOverdue()
      }
      Atomics.wait(cells, CELL.events, events, overdue ? LOOK_MS : left)
    }
  }

  /** {@link send} and {@link answer}. */
  call(command: ThreadCommand): unknown {
    return this.hasEnded ? undefined : this.answer(this.send(command))
  }

  #take(number: number): unknown {
    for (;;) {
      const answer = this.#next()
      // Each command has one answer, in order.
      if (answer === undefined) return undefined
      if (answer.number !== number) continue
      const { error, result } = answer
      if (error === undefined) return result
      const { code, message, field } = error
      throw new VringError(code, message, field === undefined ? {} : { field })
    }
  }

  #next(): Answer | undefined {
    const message = receiveMessageOnPort(this.#port)?.message as Answer | undefined
    this.#fault ??= message?.fault ?? null
    return message
  }
}

/** The home, as a thread that follows sees it. */
export class Home {
  /** Readable when commands are there. */
  readonly fd: number
  readonly #cells: Int32Array
  readonly #bell: EventFd
  readonly #wake: EventFd
  readonly #port: MessagePort
  #done = 0

  constructor({ cells, bellFd, homeFd, port }: FollowerEnd) {
    this.fd = bellFd
    this.#cells = new Int32Array(cells)
    this.#bell = new EventFd(bellFd)
    this.#wake = new EventFd(homeFd)
    this.#port = port as MessagePort
  }

  /** Handles the commands that are there, up to a `resume`: a turn over the rings comes before what follows that. */
  take(handle: (command: ThreadCommand) => unknown): void {
    this.#bell.drain()
    for (;;) {
      const command = receiveMessageOnPort(this.#port)?.message as ThreadCommand | undefined
      if (command === undefined) return
      this.#answer(command, handle)
      if (command.kind === 'resume') break
    }
    // What was rung for it may have been drained.
    if (Atomics.load(this.#cells, CELL.commands) !== this.#done) this.#bell.signal()
  }

  /** It has ended. */
  get hasEnded(): boolean {
    return Atomics.load(this.#cells, CELL.homeEnded) === 1
  }

  /** Waits for the next command, or the end of the home, and handles what is there. Blocks the thread. */
  next(handle: (command: ThreadCommand) => unknown): void {
    // By time, too: that the home has ended is no command.
    while (Atomics.load(this.#cells, CELL.commands) === this.#done && !this.hasEnded)
      Atomics.wait(this.#cells, CELL.commands, this.#done, LOOK_MS)
    this.take(handle)
  }

  /** Wakes the home: memory that both see has lost pages. */
  wake(): void {
    this.#wake.signal()
  }

  /** Tells the home that the device threw. */
  fault(fault: string): void {
    this.#port.postMessage({ number: 0, fault })
    Atomics.add(this.#cells, CELL.faults, 1)
    this.#wake.signal()
  }

  #answer(command: ThreadCommand, handle: (command: ThreadCommand) => unknown): void {
    const number = ++this.#done
    let answer: Answer
    try {
      answer = { number, result: handle(command) }
    } catch (error) {
      // Of which memory it may still look at nothing is known: it ends, and then it looks at none.
      if (command.kind === 'memory') throw error
      const code = isVringError(error) ? error.code : 'ERR_INTERNAL'
      const message = isVringError(error) ? error.message : describeFault(error)
      answer = { number, error: { code, message, field: isVringError(error) ? error.field : undefined } }
    }
    this.#port.postMessage(answer)
    Atomics.store(this.#cells, CELL.answers, number)
    Atomics.add(this.#cells, CELL.events, 1)
    Atomics.notify(this.#cells, CELL.events)
  }
}
