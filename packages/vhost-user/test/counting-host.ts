import { VringError } from '@vring/layout'
import { memoryView } from '@vring/memory'
import type { MappedMemory, RingEvent, RingEventUse, SessionHost, StateStream, Transport } from '../src/index.ts'

/** What a descriptor of {@link CountingHost} stands for. */
export type FakeFile = 'event' | 'memory' | 'pipe' | 'socket' | 'junk'

/** Bytes of every memory file of {@link CountingHost}. */
export const FAKE_MEMORY_BYTES = 1 << 20

/**
 * An operating system of a test's own: hands out descriptors, and knows exactly which are open and what is mapped.
 * Closing twice, and using what is closed, is an error of the test.
 */
export class CountingHost implements SessionHost {
  readonly memoryBytes = 2 ** 36
  readonly open = new Map<number, FakeFile>()
  readonly signals = new Map<number, number>()
  /** What was sent through transports of this host. */
  readonly sent: Uint8Array[] = []
  /** What streams read, and what was written to them. */
  readonly stateIn: number[] = []
  readonly stateOut: number[] = []
  mapped = 0
  #next = 100

  /** A descriptor on its way to the session. */
  file(kind: FakeFile): number {
    const fd = this.#next++
    this.open.set(fd, kind)
    return fd
  }

  closeFd(fd: number): void {
    if (!this.open.delete(fd)) throw new Error(`descriptor ${fd} is closed twice`)
  }

  fileIdentity(fd: number): string {
    return `file ${fd}`
  }

  mapMemory(fd: number, offset: number, length: number): MappedMemory {
    this.#expect(fd, 'memory')
    if (length > FAKE_MEMORY_BYTES - offset)
      throw new VringError('ERR_PROTOCOL', 'longer than its file', { field: 'region end' })
    const view = memoryView(new ArrayBuffer(Math.ceil(length / 4) * 4 + 8))
    this.mapped++
    let live = true
    return {
      windows: [{ view, viewOffset: 0, length }],
      faults: 0,
      close: () => {
        if (!live) throw new Error('memory is unmapped twice')
        live = false
        this.mapped--
      },
    }
  }

  ringEvent(fd: number, use: RingEventUse): RingEvent {
    if (use === 'kick' || this.open.get(fd) !== 'pipe') this.#expect(fd, 'event')
    return {
      fd,
      signal: () => void this.signals.set(fd, (this.signals.get(fd) ?? 0) + 1),
      drain: () => this.signals.delete(fd),
      close: () => this.closeFd(fd),
    }
  }

  transport(fd: number): Transport {
    this.#expect(fd, 'socket')
    let live = true
    return {
      fd,
      receive: () => 0,
      send: (bytes) => void this.sent.push(bytes),
      close: () => {
        if (live) this.closeFd(fd)
        live = false
      },
    }
  }

  createMemory(): number {
    return this.file('memory')
  }

  stream(fd: number): StateStream {
    this.#expect(fd, 'pipe')
    return {
      fd,
      read: (into) => {
        const part = this.stateIn.splice(0, into.length)
        into.set(part)
        return part.length
      },
      write: (from) => this.stateOut.push(...from) && from.length,
      close: () => this.closeFd(fd),
    }
  }

  #expect(fd: number, kind: FakeFile): void {
    if (this.open.get(fd) !== kind)
      throw new VringError('ERR_PROTOCOL', `descriptor ${fd} is ${this.open.get(fd)}, not ${kind}`, { field: 'fds' })
  }
}
