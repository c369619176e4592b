import type { ByteSource } from './byte-source.ts'

/** Bytes that are read at once. */
const WINDOW_BYTES = 256 << 10

/** A part of a capture in memory, which moves over it from its beginning to its end. */
export class CaptureWindow {
  bytes: Uint8Array = new Uint8Array(WINDOW_BYTES)
  view: DataView = new DataView(this.bytes.buffer)
  /** Where in {@link bytes} the next block begins. */
  at = 0
  /** Where in the capture that is, in bytes. */
  position = 0
  private end = 0
  private readonly source: ByteSource

  constructor(source: ByteSource) {
    this.source = source
  }

  /** Bytes that lie in memory from {@link at} on. */
  get held(): number {
    return this.end - this.at
  }

  /** Gets `count` bytes from {@link at} on into memory. @returns false: the capture ends before */
  holds(count: number): boolean {
    if (this.held >= count) return true
    this.makeRoom(count)
    while (this.held < count) {
      const read = this.source.read(this.bytes, this.end, this.bytes.length - this.end)
      if (read === 0) return false
      this.end += read
    }
    return true
  }

  /** Goes on `count` bytes; they need not lie in memory. @returns false: the capture ends before */
  skip(count: number): boolean {
    for (let left = count; left > 0; ) {
      if (this.held === 0 && !this.holds(1)) return false
      const step = Math.min(left, this.held)
      this.at += step
      this.position += step
      left -= step
    }
    return true
  }

  private makeRoom(count: number): void {
    if (count > this.bytes.length) {
      const larger = new Uint8Array(2 ** Math.ceil(Math.log2(count)))
      larger.set(this.bytes.subarray(this.at, this.end))
      this.bytes = larger
      this.view = new DataView(larger.buffer)
    } else if (count > this.bytes.length - this.at || this.held === 0) this.bytes.copyWithin(0, this.at, this.end)
    else return
    this.end -= this.at
    this.at = 0
  }
}
