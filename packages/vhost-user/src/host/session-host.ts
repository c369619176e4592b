import type { WindowHandle } from '@vring/linux'
import type { LazyView, MemoryView } from '@vring/memory'
import type { Transport } from '../messages/transport.ts'

/** A part of mapped memory that is one buffer. */
export interface MemoryWindow {
  readonly view: MemoryView | LazyView
  /** Byte offset in {@link view} of the window's first byte. */
  readonly viewOffset: number
  /** Bytes. */
  readonly length: number
  /** Of the mapping that it is of, for other threads of the process; absent: there is none. */
  readonly handle?: WindowHandle
}

/** Memory of the frontend, mapped here. */
export interface MappedMemory {
  /** Neighbours, ascending; together as long as what was asked for. */
  readonly windows: readonly MemoryWindow[]
  /**
   * Pages that turned out not to exist when they were touched and are zeros of our own since: what is written there is
   * lost.
   */
  readonly faults: number
  /** Gives the mapping back: no view of it may be used any more. */
  close(): void
}

/** What a ring's descriptor is for: the driver signals a kick, the device signals a call or an error. */
export type RingEventUse = 'kick' | 'signal'

/** An eventfd of a ring, or what else the device can signal by without waiting. */
export interface RingEvent {
  readonly fd: number
  signal(): void
  /** Sets it to zero; false when it was. */
  drain(): boolean
  close(): void
}

/** What a session needs of the operating system. `linuxHost` is the real one; tests count with one of their own. */
export interface SessionHost {
  /** Bytes of memory that this host has: what a frontend may share unless told otherwise. */
  readonly memoryBytes: number
  closeFd(fd: number): void
  /**
   * Which file it is: the same text for two descriptors of one file, as long as either it or a mapping of it is there.
   *
   * @throws VringError ERR_SYSTEM
   */
  fileIdentity(fd: number): string
  /**
   * Maps [offset, offset + length) of a file, shared. The descriptor stays the caller's.
   *
   * @throws VringError ERR_PROTOCOL for a file that is shorter or of a kind that is not taken, ERR_OUT_OF_RANGE, ERR_SYSTEM
   */
  mapMemory(fd: number, offset: number, length: number): MappedMemory
  /**
   * Takes a descriptor over; only when it returns. A kick is an eventfd; what the device signals by may be a pipe
   * or a socket, too (virtio_uml).
   *
   * @throws VringError ERR_PROTOCOL when it is something else, ERR_SYSTEM
   */
  ringEvent(fd: number, use: RingEventUse): RingEvent
  /** Takes a connected socket over. */
  transport(fd: number): Transport
  /** Memory of this many bytes, zero, sealed against shrinking: its descriptor. @throws VringError ERR_SYSTEM */
  createMemory(bytes: number): number
  /**
   * Takes a pipe or a file over, for a device's state.
   *
   * @throws VringError ERR_SYSTEM
   */
  stream(fd: number): StateStream
}

/** The other end of a device's state: read to its end, or written. Never waits. */
export interface StateStream {
  readonly fd: number
  /** @returns bytes, 0 at the end, or -EAGAIN. @throws VringError ERR_SYSTEM */
  read(into: Uint8Array): number
  /** @returns bytes, or -EAGAIN. @throws VringError ERR_SYSTEM */
  write(from: Uint8Array): number
  close(): void
}
