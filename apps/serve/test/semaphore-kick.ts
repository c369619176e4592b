import { createRequire } from 'node:module'

const [EFD_SEMAPHORE, EFD_NONBLOCK, EFD_CLOEXEC] = [1, 0x800, 0x80000]

/**
 * An eventfd that reading hardly changes: a semaphore at its maximum. The product has no use for one, so that this
 * makes it itself.
 */
export function semaphoreKick(): number {
  const library = createRequire(import.meta.url)('koffi').load(null)
  const fd = library.func('int eventfd(uint, int)')(0, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC) as number
  const most = new Uint8Array(8).fill(0xff)
  most[0] = 0xfe
  if (library.func('int64_t write(int, void *, size_t)')(fd, most, 8) !== 8) throw new Error('eventfd')
  return fd
}
