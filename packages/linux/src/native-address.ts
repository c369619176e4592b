import { refused } from '@vring/layout'
import { libc } from './libc.ts'

/**
 * Where the memory of a buffer lies in this process, to be handed to the kernel in a structure of its own. It stays
 * there as long as the buffer is alive, which is the caller's to see to. The kernel answers EFAULT for an address that
 * is not mapped any more.
 *
 * @returns a user address, exact as a number: below 2^48 on the supported architectures
 * @throws VringError ERR_OUT_OF_RANGE for an empty buffer, which lies nowhere
 */
export function nativeAddress(buffer: ArrayBufferLike): number {
  if (buffer.byteLength === 0) throw refused('ERR_OUT_OF_RANGE', 'buffer', 0, 'a buffer of at least one byte')
  return Number(libc().koffi.address(new Uint8Array(buffer)))
}
