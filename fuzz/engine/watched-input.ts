/** The input that a worker is at, where another thread finds it when the worker never comes back. */
export interface WatchedInput {
  /** Counts inputs. */
  readonly count: Int32Array
  readonly length: Int32Array
  readonly bytes: Uint8Array
}

export function watchedInput(maxBytes: number): WatchedInput {
  return {
    count: new Int32Array(new SharedArrayBuffer(4)),
    length: new Int32Array(new SharedArrayBuffer(4)),
    bytes: new Uint8Array(new SharedArrayBuffer(maxBytes)),
  }
}

export function publishInput({ count, length, bytes }: WatchedInput, input: Uint8Array): void {
  const size = Math.min(input.length, bytes.length)
  bytes.set(input.subarray(0, size))
  length[0] = size
  Atomics.add(count, 0, 1)
}

/** A copy of the input that was published last. */
export function currentInput({ length, bytes }: WatchedInput): Uint8Array {
  return bytes.slice(0, length[0])
}
