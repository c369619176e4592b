import { EFAULT, refused } from '@vring/layout'
import { work } from './work-meter.ts'

/** Bytes that one bit of the log stands for. Source: Linux `VHOST_PAGE_SIZE`. */
export const LOG_PAGE_BYTES = 4096

/** Where a device notes which guest memory it wrote, so that a migration copies it again. */
export interface DirtyLog {
  /**
   * Notes that [address, address + length) of guest-physical memory was written. Call it after the write, as a reader of
   * the log copies the page when it finds the bit. Source: Linux `log_write`.
   *
   * @param length bytes; 0 notes nothing
   * @returns 0, or -EFAULT when the log does not reach so far (nothing is noted)
   */
  write(address: number, length: number): number
}

/** The log while no migration runs. */
export const noDirtyLog: DirtyLog = { write: () => 0 }

/**
 * The log of a migration (VHOST_F_LOG_ALL): bit `p % 8` of byte `p / 8` is guest-physical page `p`. The bytes may be
 * shared with the process that migrates, which clears them while the device sets them; so bits are set atomically.
 * Separate from the host's page dirtiness, which is `KernelMapping.markDirty`.
 */
export class DirtyBitmap implements DirtyLog {
  readonly bytes: Uint8Array
  /** Guest pages that the log reaches. */
  readonly pages: number

  /**
   * @param bytes the log, zeroed by its owner; bit 0 of byte 0 is the page at address 0
   * @throws VringError ERR_INVALID_ARGUMENT
   */
  constructor(bytes: Uint8Array) {
    if (!(bytes instanceof Uint8Array)) throw refused('ERR_INVALID_ARGUMENT', 'bytes', bytes, 'a Uint8Array')
    this.bytes = bytes
    this.pages = bytes.length * 8
  }

  /** A log of its own for guest memory of `bytes` bytes. */
  static forGuest(bytes: number): DirtyBitmap {
    if (!(Number.isSafeInteger(bytes) && bytes > 0)) throw refused('ERR_OUT_OF_RANGE', 'bytes', bytes, '1 .. 2^53-1')
    return new DirtyBitmap(new Uint8Array(Math.ceil(bytes / (8 * LOG_PAGE_BYTES))))
  }

  write(address: number, length: number): number {
    if (length === 0) return 0
    const limit = this.pages * LOG_PAGE_BYTES
    if (!(address >= 0 && length > 0 && length <= limit - address)) return EFAULT
    const first = Math.floor(address / LOG_PAGE_BYTES)
    const last = Math.floor((address + length - 1) / LOG_PAGE_BYTES)
    work.charge(last - first + 1)
    // Bounded by the log: at most `pages` bits. The page number may exceed 32 bits only in a log above 512 MiB.
    for (let page = first; page <= last; page++) Atomics.or(this.bytes, Math.floor(page / 8), 1 << (page & 7))
    return 0
  }

  /** Is the page that holds `address` noted? Addresses past its end are not. */
  isDirty(address: number): boolean {
    const page = Math.floor(address / LOG_PAGE_BYTES)
    return page >= 0 && page < this.pages && (Atomics.load(this.bytes, Math.floor(page / 8)) & (1 << (page & 7))) !== 0
  }

  /** Takes the noted pages, ascending, and clears them: one round of a migration's copying. */
  take(): number[] {
    const pages: number[] = []
    for (let at = 0; at < this.bytes.length; at++) {
      if (this.bytes[at] === 0) continue
      const bits = Atomics.exchange(this.bytes, at, 0)
      for (let bit = 0; bit < 8; bit++) if ((bits & (1 << bit)) !== 0) pages.push(8 * at + bit)
    }
    return pages
  }
}
