import { statfsSync } from 'node:fs'
import { refused } from '@vring/layout'
import {
  MAP_ANONYMOUS,
  MAP_FAILED,
  MAP_FIXED,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_READ,
  PROT_WRITE,
} from './abi.ts'
import { statFd } from './fd.ts'
import { libc } from './libc.ts'
import { systemError } from './system-error.ts'

/**
 * Bytes of one window: below 2^31, so that every offset into it is a small integer of the JavaScript engine, and well
 * below the 4 GiB above which one ArrayBuffer over foreign memory aborts the process.
 */
export const WINDOW_BYTES_MAX: number = 2 ** 30
/** The smallest page of the supported architectures, in bytes. */
const PAGE_BYTES = 4096
/** What statfs(2) says of a file of huge pages, `<linux/magic.h>`. */
const HUGETLBFS_MAGIC = 0x9584_58f6

/** One ArrayBuffer over a part of a {@link Mapping}. */
export interface MappingWindow {
  /** Offset in the mapping of the window's first byte. */
  readonly offset: number
  /** Bytes. */
  readonly length: number
  readonly buffer: ArrayBuffer
}

export interface MapOptions {
  /** Bytes; a positive multiple of 4. */
  readonly length: number
  /** Offset in the file, in bytes; a multiple of its page size. Default 0. */
  readonly offset?: number
  /** Reads only. Default false. */
  readonly readOnly?: boolean
  /** Takes all page faults now. Default false. */
  readonly populate?: boolean
  /** Bytes of one window at most; a multiple of 4096. Default and maximum {@link WINDOW_BYTES_MAX}. */
  readonly windowBytes?: number
}

/**
 * A shared mapping of a file descriptor, seen through ArrayBuffers that alias its memory.
 *
 * An ArrayBuffer over foreign memory can't be taken back from JavaScript. So the end of a mapping has two steps:
 * {@link revoke} puts zero pages under the views that may still be around (they read zero from then on; writing through
 * them faults), and {@link unmap} gives the addresses back once nobody can hold one any more.
 */
export class Mapping {
  /** Where the mapping lies in this process. */
  readonly address: bigint
  /** Bytes. */
  readonly length: number
  /** Bytes of a page of the file: that of the huge pages of hugetlbfs, else 4096. */
  readonly pageBytes: number
  readonly windows: readonly MappingWindow[]
  #state: 'mapped' | 'revoked' | 'unmapped' = 'mapped'

  private constructor(address: bigint, length: number, pageBytes: number, windows: readonly MappingWindow[]) {
    this.address = address
    this.length = length
    this.pageBytes = pageBytes
    this.windows = windows
  }

  /**
   * Maps `fd`; the descriptor may be closed afterwards.
   *
   * @throws VringError ERR_OUT_OF_RANGE, ERR_SYSTEM
   */
  static of(fd: number, options: MapOptions): Mapping {
    const { length, offset = 0, windowBytes = WINDOW_BYTES_MAX } = options
    if (!Number.isSafeInteger(length) || length <= 0 || length % 4 !== 0)
      throw refused('ERR_OUT_OF_RANGE', 'length', length, 'a positive multiple of 4')
    if (!Number.isSafeInteger(offset) || offset < 0 || offset % PAGE_BYTES !== 0)
      throw refused('ERR_OUT_OF_RANGE', 'offset', offset, `a multiple of ${PAGE_BYTES}`)
    if (!(windowBytes > 0 && windowBytes <= WINDOW_BYTES_MAX && windowBytes % PAGE_BYTES === 0))
      throw refused(
        'ERR_OUT_OF_RANGE',
        'windowBytes',
        windowBytes,
        `a multiple of ${PAGE_BYTES} to ${WINDOW_BYTES_MAX}`,
      )
    const c = libc()
    const prot = PROT_READ | (options.readOnly ? 0 : PROT_WRITE)
    const flags = MAP_SHARED | MAP_NORESERVE | (options.populate ? MAP_POPULATE : 0)
    const address = c.mmap(null, length, prot, flags, fd, offset)
    if (address === MAP_FAILED) throw systemError('mmap', c.errno(), `${length} bytes of descriptor ${fd} at ${offset}`)
    const windows: MappingWindow[] = []
    for (let at = 0; at < length; at += windowBytes) {
      const bytes = Math.min(windowBytes, length - at)
      windows.push({ offset: at, length: bytes, buffer: c.koffi.view(address + BigInt(at), bytes) })
    }
    const pageBytes = pageBytesOfFile(fd)
    const filled = isFilledFile(fd)
    for (const { buffer } of windows) pagesOf.set(buffer, { pageBytes, filled })
    return new Mapping(address, length, pageBytes, windows)
  }

  /** The whole mapping as one buffer. Throws VringError ERR_OUT_OF_RANGE when it has several windows. */
  get buffer(): ArrayBuffer {
    if (this.windows.length > 1)
      throw refused('ERR_OUT_OF_RANGE', 'length', this.length, 'a mapping of one window; read `windows`')
    return this.windows[0]!.buffer
  }

  get state(): 'mapped' | 'revoked' | 'unmapped' {
    return this.#state
  }

  /**
   * Puts private zero pages, read-only, in the place of the memory: views that are still around read zero. A second
   * call does nothing.
   *
   * @throws VringError ERR_SYSTEM
   */
  revoke(): void {
    if (this.#state !== 'mapped') return
    const c = libc()
    const flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    const address = c.mmap(this.address, this.length, PROT_READ, flags, -1, 0)
    if (address === MAP_FAILED) throw systemError('mmap', c.errno(), `revoking ${this.length} bytes`)
    this.#state = 'revoked'
  }

  /**
   * Gives the addresses back. Any access through one of the windows is a crash of the process from then on: call it
   * when the last user is known to have let go. A second call does nothing.
   *
   * @throws VringError ERR_SYSTEM
   */
  unmap(): void {
    if (this.#state === 'unmapped') return
    const c = libc()
    if (c.munmap(this.address, this.length) !== 0) throw systemError('munmap', c.errno(), `${this.length} bytes`)
    this.#state = 'unmapped'
  }
}

interface Pages {
  readonly pageBytes: number
  readonly filled: boolean
}

const pagesOf = new WeakMap<ArrayBufferLike, Pages>()

/** Bytes of a page of the memory behind a buffer: that of the file that a {@link Mapping} is of, 4096 for other memory. */
export function pageBytesOf(buffer: ArrayBufferLike): number {
  return pagesOf.get(buffer)?.pageBytes ?? PAGE_BYTES
}

/**
 * Did the file behind a buffer have all of its pages when it was mapped? Touching the hole of one that did not takes a new
 * page, which for huge pages is one of a few. False for memory that is of no {@link Mapping}.
 */
export function isFilled(buffer: ArrayBufferLike): boolean {
  return pagesOf.get(buffer)?.filled ?? false
}

function isFilledFile(fd: number): boolean {
  const { isRegular, size, allocated } = statFd(fd)
  return isRegular && allocated >= size
}

function pageBytesOfFile(fd: number): number {
  try {
    const { type, bsize } = statfsSync(`/proc/self/fd/${fd}`)
    return type === HUGETLBFS_MAGIC ? bsize : PAGE_BYTES
  } catch {
    // No /proc, or a descriptor that is no file of a file system.
    return PAGE_BYTES
  }
}
