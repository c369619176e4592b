import { VringError } from '@vring/layout'
import { Gunzip } from 'fflate'
import type { ByteSource } from './byte-source.ts'

/** First bytes of a gzip member (RFC 1952 section 2.3.1). */
export const GZIP_MAGIC = 0x1f8b
/** Compressed bytes at a time: deflate makes at most 1032 times as many of them. */
const CHUNK_BYTES = 4096

/**
 * What a gzip stream holds, one or several members, decompressed as it is read. Their checksums are not compared: what a
 * capture holds is checked block by block.
 */
export function gunzipSource(source: ByteSource): ByteSource {
  const chunk = new Uint8Array(CHUNK_BYTES)
  let ready: Uint8Array[] = []
  let taken = 0
  let ended = false
  const gunzip = new Gunzip((bytes) => {
    // fflate may give a view of what it overwrites with the next push: all of it is read before.
    if (bytes.length > 0) ready.push(bytes)
  })
  const more = (): void => {
    const read = source.read(chunk, 0, CHUNK_BYTES)
    ended = read === 0
    try {
      gunzip.push(chunk.slice(0, read), ended)
    } catch (cause) {
      // A file that was cut: what came before is whole.
      if (ended) return
      throw new VringError('ERR_INVALID_ARGUMENT', `gzip: ${(cause as Error).message}`, { field: 'gzip', cause })
    }
  }
  return {
    read(into, at, length) {
      while (ready.length === 0 && !ended) more()
      const [first] = ready
      if (first === undefined) return 0
      const part = first.subarray(taken, taken + length)
      into.set(part, at)
      taken += part.length
      if (taken === first.length) {
        ready = ready.slice(1)
        taken = 0
      }
      return part.length
    },
  }
}
