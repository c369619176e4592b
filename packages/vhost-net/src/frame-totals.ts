/**
 * Frames and their bytes since the beginning. As array elements, which are doubles from the first frame on: a field that
 * starts as a small integer and outgrows 31 bits would throw the code away that V8 compiled for the path of every packet.
 */
export class FrameTotals {
  private readonly totals = new Float64Array(2)

  add(frames: number, bytes: number): void {
    this.totals[0]! += frames
    this.totals[1]! += bytes
  }

  get frames(): number {
    return this.totals[0]!
  }

  /** Bytes without virtio-net headers. */
  get bytes(): number {
    return this.totals[1]!
  }
}
