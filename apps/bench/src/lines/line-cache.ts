/** Who touches a line. */
export const DRIVER = 1
export const DEVICE = 2
export type Side = typeof DRIVER | typeof DEVICE

/** Bytes of a cache line of x86-64 and of most arm64 processors. */
export const LINE_BYTES = 64
const LINE_SHIFT = 6

/** What driver and device keep in the memory between them. */
export const LINE_AREAS = ['desc', 'driver', 'device', 'header', 'frame'] as const
export type LineArea = (typeof LINE_AREAS)[number]

/** Lines of one area: those that moved to a side, and those that a side had and took from the other to write. */
export interface LineMoves {
  toDevice: number
  toDriver: number
  /** A message without the line's contents: the writer waits for nothing but its store buffer. */
  upgrades: number
}

/**
 * Two private caches without end over one memory, kept coherent by invalidation (MESI, with what a line's state is to
 * the other side). A read of a line that the other side wrote moves it here, and both have it. A write takes it from
 * the other.
 */
export class LineCache {
  readonly moves: Readonly<Record<LineArea, LineMoves>>
  /** By line: which sides have it. */
  readonly #holders: Uint8Array

  /** @param bytes of the memory */
  constructor(bytes: number) {
    this.#holders = new Uint8Array((bytes >>> LINE_SHIFT) + 1)
    this.moves = Object.fromEntries(
      LINE_AREAS.map((area) => [area, { toDevice: 0, toDriver: 0, upgrades: 0 }]),
    ) as Record<LineArea, LineMoves>
  }

  /** `side` reads or writes `length` bytes at an offset; all of them are of one area. */
  touch(side: Side, area: LineArea, offset: number, length: number, write: boolean): void {
    for (let line = offset >>> LINE_SHIFT; line <= (offset + length - 1) >>> LINE_SHIFT; line++)
      this.#touchLine(side, this.moves[area], line, write)
  }

  /** Counts from zero; who has which line stays. */
  reset(): void {
    for (const moves of Object.values(this.moves)) Object.assign(moves, { toDevice: 0, toDriver: 0, upgrades: 0 })
  }

  #touchLine(side: Side, moves: LineMoves, line: number, write: boolean): void {
    const holders = this.#holders[line]!
    if ((holders & side) === 0) {
      // Of a line that neither side has had yet nothing moves between the two.
      if (holders !== 0) moves[side === DEVICE ? 'toDevice' : 'toDriver']++
    } else if (write && holders !== side) moves.upgrades++
    this.#holders[line] = write ? side : holders | side
  }
}
