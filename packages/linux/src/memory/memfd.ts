import { refused } from '@vring/layout'
import {
  F_ADD_SEALS,
  F_SEAL_GROW,
  F_SEAL_SHRINK,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  MFD_HUGE_SHIFT,
  MFD_HUGETLB,
} from '../abi.ts'
import { closeFd } from '../descriptors/fd.ts'
import { checked } from '../libc.ts'

export interface MemfdOptions {
  /** Huge pages of this size instead of ordinary ones; they must have been reserved. Default: ordinary pages. */
  readonly hugePages?: '2M' | '1G'
  /**
   * Seals the size: no process that gets the descriptor can shorten the file under another's mapping (which would be a
   * SIGBUS). Default true.
   */
  readonly sealed?: boolean
}

const HUGE_PAGE_SHIFT = { '2M': 21, '1G': 30 } as const

/**
 * An anonymous file in memory, to be mapped and shared by its descriptor; it lives until the last of both is gone.
 *
 * @param name shown in /proc/self/maps, for people
 * @param bytes size; a multiple of the page size
 * @returns the file descriptor, which the caller closes
 * @throws VringError ERR_OUT_OF_RANGE, ERR_SYSTEM
 */
export function createMemfd(name: string, bytes: number, options: MemfdOptions = {}): number {
  const shift = options.hugePages === undefined ? 12 : HUGE_PAGE_SHIFT[options.hugePages]
  if (!Number.isSafeInteger(bytes) || bytes <= 0 || bytes % 2 ** shift !== 0)
    throw refused('ERR_OUT_OF_RANGE', 'bytes', bytes, `a positive multiple of ${2 ** shift}`)
  const huge = options.hugePages === undefined ? 0 : MFD_HUGETLB | (shift << MFD_HUGE_SHIFT)
  const fd = checked('memfd_create', (c) => c.memfd_create(name, (MFD_CLOEXEC | MFD_ALLOW_SEALING | huge) >>> 0), name)
  try {
    // By the C library: descriptors of `node:fs` are Deno's own numbers there.
    checked('ftruncate', (c) => c.ftruncate(fd, bytes), name)
    if (options.sealed ?? true)
      checked('fcntl', (c) => c.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 'F_ADD_SEALS')
  } catch (error) {
    closeFd(fd)
    throw error
  }
  return fd
}
