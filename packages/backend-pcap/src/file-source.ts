import { readSync } from 'node:fs'
import { VringError } from '@vring/layout'
import type { ByteSource } from './byte-source.ts'

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
