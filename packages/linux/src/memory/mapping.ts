import { refused } from '@vring/layout'
import {
  _SC_PAGESIZE,
  MAP_ANONYMOUS,
  MAP_FAILED,
  MAP_FIXED,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_READ,
  PROT_WRITE,
} from '../abi.ts'
import { fileSystemOf, statFd } from '../descriptors/fd.ts'
import { libc } from '../libc.ts'
import { systemError } from '../system-error.ts'
import { MemoryGuard, unguardedHost, watchGuards } from './memory-guard.ts'

/**
 * Bytes of one window. They are below 2^31, so that every offset into it is a small integer of the JavaScript engine.
 * They are also well below the 4 GiB above which one ArrayBuffer over foreign memory aborts the process.
 */
export const WINDOW_BYTES_MAX: number = 2 ** 30
/** The smallest page of the supported architectures, in bytes. */
const PAGE_BYTES = 4096

/**
 * One ArrayBuffer over a part of a {@link Mapping}. It is made when it is asked for first. Each costs the JavaScript
 * engine some milliseconds, as it collects garbage by the bytes that buffers stand for.
 */
export class MappingWindow {
  /** Offset in the mapping of the window's first byte. */
  readonly offset: number
  /** Bytes. */
  readonly length: number
  /** What another thread needs to look through it, too. */
  readonly handle: WindowHandle
  #buffer: ArrayBuffer | null = null

  constructor(offset: number, handle: WindowHandle) {
    this.offset = offset
    this.length = handle.bytes
    this.handle = handle
  }

  /** The same one each time. */
  get buffer(): ArrayBuffer {
    this.#buffer ??= bufferOf(this.handle)
    return this.#buffer
  }
}

/** A window of a mapping as plain data: any thread of the process sees the same memory at the same address. */
export interface WindowHandle {
  /** Native address of its first byte. */
  readonly address: bigint
  /** Bytes. */
  readonly bytes: number
  /** Bytes of a page of the file, see {@link pageBytesOf}. */
  readonly pageBytes: number
  /** See {@link isFilled}. */
  readonly filled: boolean
}

/**
 * A buffer over a window that another thread of the process mapped: it lets go of it before that thread unmaps it. Where the
 * mapping is guarded, this thread counts the guard's faults from now on ({@link guardFaults}).
 */
export function openWindow(handle: WindowHandle): ArrayBuffer {
  watchGuards()
  return bufferOf(handle)
}

function bufferOf({ address, bytes, pageBytes, filled }: WindowHandle): ArrayBuffer {
  const buffer = libc().koffi.view(address, bytes)
  pagesOf.set(buffer, { pageBytes, filled })
  return buffer
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
  /**
   * Puts zeros in the place of pages that turn out not to exist, where touching them would end the process: see
   * {@link MemoryGuard}. For files that others have too. Default false.
   */
  readonly guard?: boolean
}

/**
 * A shared mapping of a file descriptor, seen through ArrayBuffers that alias its memory.
 *
 * An ArrayBuffer over foreign memory can't be taken back from JavaScript. So the end of a mapping has two steps.
 * {@link revoke} puts zero pages under the views that may still be around: they read zero from then on, and writing through
 * them faults. {@link unmap} gives the addresses back once no view is held any more.
 */
export class Mapping {
  /** Where the mapping lies in this process. */
  readonly address: bigint
  /** Bytes. */
  readonly length: number
  /** Bytes of a page of the file: that of the huge pages of hugetlbfs, else 4096. */
  readonly pageBytes: number
  readonly windows: readonly MappingWindow[]
  #guard: MemoryGuard | null
  #state: 'mapped' | 'revoked' | 'unmapped' = 'mapped'

  private constructor(
    address: bigint,
    length: number,
    pageBytes: number,
    windows: readonly MappingWindow[],
    guard: MemoryGuard | null,
  ) {
    this.address = address
    this.length = length
    this.pageBytes = pageBytes
    this.windows = windows
    this.#guard = guard
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
    const pageBytes = pageBytesOfFile(fd)
    // Huge pages are set aside now: that there are not enough is then an error here (ENOMEM), and no SIGBUS later.
    const reserve = pageBytes > PAGE_BYTES ? 0 : MAP_NORESERVE
    const flags = MAP_SHARED | reserve | (options.populate ? MAP_POPULATE : 0)
    const address = c.mmap(null, length, prot, flags, fd, offset)
    if (address === MAP_FAILED) {
      const pages = reserve === 0 ? `, in huge pages of ${pageBytes} bytes` : ''
      throw systemError('mmap', c.errno(), `${length} bytes of descriptor ${fd} at ${offset}${pages}`)
    }
    try {
      const guard =
        options.guard && unguardedHost() === null
          ? MemoryGuard.of(address, length, Math.max(pageBytes, c.sysconf(_SC_PAGESIZE)))
          : null
      const filled = isFilledFile(fd)
      const windows: MappingWindow[] = []
      for (let at = 0; at < length; at += windowBytes) {
        const bytes = Math.min(windowBytes, length - at)
        windows.push(new MappingWindow(at, { address: address + BigInt(at), bytes, pageBytes, filled }))
      }
      return new Mapping(address, length, pageBytes, windows, guard)
    } catch (error) {
      c.munmap(address, length)
      throw error
    }
  }

  /** Pages that were not there when they were touched and are zeros since; always 0 without `guard`. */
  get faults(): number {
    return this.#guard?.faults ?? 0
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
    this.#unguard()
    this.#state = 'revoked'
  }

  /**
   * Gives the addresses back. Any access through one of the windows is a crash of the process from then on. Call it
   * when the last user is known to have let go. A second call does nothing.
   *
   * @throws VringError ERR_SYSTEM
   */
  unmap(): void {
    if (this.#state === 'unmapped') return
    const c = libc()
    // First: the addresses may be another mapping's as soon as they are given back.
    this.#unguard()
    if (c.munmap(this.address, this.length) !== 0) throw systemError('munmap', c.errno(), `${this.length} bytes`)
    this.#state = 'unmapped'
  }

  #unguard(): void {
    this.#guard?.release()
    this.#guard = null
  }
}

interface Pages {
  readonly pageBytes: number
  readonly filled: boolean
}

const pagesOf = new WeakMap<ArrayBufferLike, Pages>()

/** Bytes of a page of a buffer's memory: that of the file for a {@link Mapping}, 4096 for other memory. */
export function pageBytesOf(buffer: ArrayBufferLike): number {
  return pagesOf.get(buffer)?.pageBytes ?? PAGE_BYTES
}

/**
 * Did the file that a buffer maps have all of its pages when it was mapped? Touching the hole of one that did not takes a
 * new page, which for huge pages is one of a few. False for memory that is of no {@link Mapping}.
 */
export function isFilled(buffer: ArrayBufferLike): boolean {
  return pagesOf.get(buffer)?.filled ?? false
}

function isFilledFile(fd: number): boolean {
  const { isRegular, size, allocated } = statFd(fd)
  return isRegular && allocated >= size
}

function pageBytesOfFile(fd: number): number {
  const { name, blockSize } = fileSystemOf(fd)
  return name === 'hugetlbfs' ? blockSize : PAGE_BYTES
}
