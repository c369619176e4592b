/**
 * Units of work between two looks at the clock and at the stop signal, meant to be half a millisecond on memory that is
 * present. The step that crosses it is finished; each is bounded by itself, and may be twice as long.
 */
export const WORK_PER_LOOK = 4096
/** Bytes copied that are one unit. */
export const WORK_BYTES = 256

/**
 * Counts the work of a thread in one unit, whatever a driver makes it do. One unit is a descriptor that is walked (an
 * empty one too), or a look-up of a region or of an IOTLB entry that the last hit did not save. It is also a page noted
 * in the migration log, a frame, or {@link WORK_BYTES} bytes copied. A contiguous piece of a buffer, translated and
 * copied by itself, is two. What has a number already is charged a batch at a time; what only the slow paths do is
 * charged there.
 */
export class WorkMeter {
  /** Units since {@link begin}. */
  private units = 0

  /** A look at the clock was taken: counts from 0 again. */
  begin(): void {
    this.units = 0
  }

  charge(units: number): void {
    // As an integer, whatever comes: those who never begin go round.
    this.units = (this.units + units) | 0
  }

  /** Contiguous pieces of buffers: each is translated and copied by itself, which takes as long as two descriptors. */
  chargePieces(pieces: number): void {
    this.charge(2 * pieces)
  }

  /** Bytes that are copied, read or written. */
  chargeBytes(bytes: number): void {
    this.charge(Math.ceil(bytes / WORK_BYTES))
  }

  /** Units since {@link begin}. */
  get spent(): number {
    return this.units
  }

  /** It is time for a look. */
  get full(): boolean {
    return this.units >= WORK_PER_LOOK
  }
}

/** The meter of this thread: it does one thing at a time. */
export const work: WorkMeter = new WorkMeter()
