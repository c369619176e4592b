import { createHash } from 'node:crypto'
import type { FrameBatch, NetBackend, NetBackendCounters } from '@vring/vhost-net'

/** Hashes every frame that it is given, in order and with its length, and passes it on. */
export class RecordingBackend implements NetBackend {
  readonly name: string
  readonly inner: NetBackend
  readonly #hash = createHash('sha256')
  #frames = 0

  constructor(inner: NetBackend) {
    this.name = inner.name
    this.inner = inner
  }

  transmit(frames: FrameBatch): number {
    const { u8 } = frames.view
    // Hashed first: a program may rewrite the frame.
    const copies = Array.from({ length: frames.count }, (_, index) => {
      const start = frames.offset[index]! + frames.headerBytes
      return u8.slice(start, frames.offset[index]! + frames.length[index]!)
    })
    const taken = this.inner.transmit(frames)
    for (const copy of copies.slice(0, taken)) this.#hash.update(`${copy.length}:`).update(copy)
    this.#frames += taken
    return taken
  }

  flush(): void {
    this.inner.flush()
  }

  get counters(): NetBackendCounters {
    return this.inner.counters
  }

  /** Frames and their digest, once. */
  digest(): string {
    return `${this.#frames}:${this.#hash.digest('hex')}`
  }

  close(): void {
    this.inner.close()
  }
}
