import { readSync } from 'node:fs'
import { VringError } from '@vring/layout'

/** Where a capture is read from, front to back. */
export interface ByteSource {
  /**
   * Reads up to `length` bytes into `into[at]`.
   *
   * @returns bytes that were read; 0: the end
   * @throws VringError ERR_SYSTEM, ERR_INVALID_ARGUMENT when what is read can't be decoded
   */
  read(into: Uint8Array, at: number, length: number): number
}

/** Bytes in memory. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  let next = 0
  return {
    read(into, at, length) {
      const part = bytes.subarray(next, next + length)
      into.set(part, at)
      next += part.length
      return part.length
    },
  }
}

/**
 * A regular file, from its beginning, whatever else reads the same descriptor.
 *
 * @param fd stays the caller's
 */
export function fileSource(fd: number): ByteSource {
  let next = 0
  return {
    read(into, at, length) {
      try {
        const read = readSync(fd, into, at, length, next)
        next += read
        return read
      } catch (cause) {
        const code = (cause as NodeJS.ErrnoException).code ?? String(cause)
        throw new VringError('ERR_SYSTEM', `read at ${next}: ${code}`, { field: 'read', value: code, cause })
      }
    },
  }
}
