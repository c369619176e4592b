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
