/**
 * Errors of the data plane: small negative numbers, the kernel's own values. So a hot function returns a count, an
 * offset or an error in one register and never throws. Source: Linux `include/uapi/asm-generic/errno-base.h`,
 * `errno.h`.
 */
export const EAGAIN = -11
/** Memory exhausted. */
export const ENOMEM = -12
/** Permission denied. */
export const EACCES = -13
/** Bad address: not mapped, not permitted, or at or above the limit of the address space. */
export const EFAULT = -14
/** Device or resource busy. */
export const EBUSY = -16
/**
 * Accessible, but not contiguous in the backing view: it crosses a page, a region or a translation whose neighbours are
 * not adjacent. The caller goes on piecewise (`resolveSpan`).
 */
export const EXDEV = -18
/** Malformed input. */
export const EINVAL = -22
/** No space: the frame does not fit. */
export const ENOSPC = -28
/** Too many levels: a chain longer than its table (also a loop). */
export const ELOOP = -40
/** No buffer space: the driver made too few buffers available. */
export const ENOBUFS = -105

const names: Readonly<Record<number, string>> = {
  [EAGAIN]: 'EAGAIN',
  [ENOMEM]: 'ENOMEM',
  [EACCES]: 'EACCES',
  [EFAULT]: 'EFAULT',
  [EBUSY]: 'EBUSY',
  [EXDEV]: 'EXDEV',
  [EINVAL]: 'EINVAL',
  [ENOSPC]: 'ENOSPC',
  [ELOOP]: 'ELOOP',
  [ENOBUFS]: 'ENOBUFS',
}

/** The name of a negative errno, for people; an unknown one as its number. */
export function errnoName(errno: number): string {
  return names[errno] ?? `errno ${errno}`
}
