import { ftruncateSync } from 'node:fs'
import { closeFd, createMemfd, Mapping } from '@vring/linux'
import { fail } from '../case.ts'
import type { Region } from '../wire/payloads.ts'

/** Page of the dirty log, in bytes. */
export const PAGE_BYTES = 4096

export interface SharedMemoryOptions {
  /** Bytes; a multiple of 4096. Default 2 MiB. */
  readonly bytes?: number
  /** Default 1 MiB: nothing lies at address 0, and guest and user addresses are never the same. */
  readonly guestAddress?: number
  /** What the memory table says it is; the device's addresses are IOVAs then. Default: the guest address. */
  readonly regionGuestAddress?: number
  /** Default 2^40 plus 64 KiB. */
  readonly userAddress?: number
  /** Bytes of the file before the region. Default 0. */
  readonly mmapOffset?: number
  /** The file can't be shortened. Default true. */
  readonly sealed?: boolean
}

/** Memory that the driver shares with the back-end: one file, one region. Offsets count from the region's begin. */
export class SharedMemory {
  readonly fd: number
  readonly size: number
  readonly guestAddress: number
  readonly userAddress: number
  readonly region: Region
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly u16: Uint16Array
  readonly #mapping: Mapping
  #used = 0
  #closed = false

  constructor(options: SharedMemoryOptions = {}) {
    const { bytes: size = 2 << 20, guestAddress = 1 << 20, userAddress = 2 ** 40 + 0x1_0000, mmapOffset = 0 } = options
    this.size = size
    this.guestAddress = guestAddress
    this.userAddress = userAddress
    this.region = { guestAddress: options.regionGuestAddress ?? guestAddress, size, userAddress, mmapOffset }
    this.fd = createMemfd('vhost-user-conformance', mmapOffset + size, { sealed: options.sealed ?? true })
    this.#mapping = Mapping.of(this.fd, { length: size, offset: mmapOffset })
    const { buffer } = this.#mapping
    this.bytes = new Uint8Array(buffer)
    this.view = new DataView(buffer)
    this.u16 = new Uint16Array(buffer)
  }

  /** Room for `bytes`, zeroed, never given back; its offset. */
  take(bytes: number, align: number): number {
    const offset = Math.ceil(this.#used / align) * align
    if (offset + bytes > this.size) fail(`the judge's own memory is full: ${offset + bytes} of ${this.size} bytes`)
    this.#used = offset + bytes
    return offset
  }

  guest(offset: number): number {
    return this.guestAddress + offset
  }

  user(offset: number): number {
    return this.userAddress + offset
  }

  /** 16-bit load with acquire order: what the device wrote before it is seen after it. */
  load16(offset: number): number {
    return Atomics.load(this.u16, offset >>> 1)
  }

  /** 16-bit store with release order: the device that sees it sees what was written before it. */
  store16(offset: number, value: number): void {
    Atomics.store(this.u16, offset >>> 1, value)
  }

  /** Shortens the file to nothing, which may not be sealed: the memory may not be touched any more. */
  truncate(): void {
    ftruncateSync(this.fd, 0)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#mapping.unmap()
    closeFd(this.fd)
  }
}
