import { closeSync, ftruncateSync, openSync } from 'node:fs'
import { Mapping } from '@vring/linux'

const BYTES = 4096
/** Words of 32 bits. */
const FINISH = 0
const LOOKS = 1
const ASKED = 4
/** Byte offset of a double. */
const FRAMES_OFFSET = 8

/**
 * A page that a device's process shares with the orchestrator. That process serves its driver without going back to its
 * event loop, so it is told and asked here. It looks once a millisecond, and counts only where it was asked to. To read
 * a kernel program's counter costs it as much as dozens of frames, and a peer is not asked.
 */
export class Board {
  readonly #mapping: Mapping
  readonly #words: Int32Array
  readonly #frames: Float64Array

  /** @param path the file; made where it is not there, and the maker's to remove */
  constructor(path: string) {
    const fd = openSync(path, 'a+')
    try {
      this.#mapping = mapPage(fd)
    } finally {
      closeSync(fd)
    }
    this.#words = new Int32Array(this.#mapping.buffer)
    this.#frames = new Float64Array(this.#mapping.buffer, FRAMES_OFFSET, 1)
  }

  /** Frames so far, as of the last look that was {@link ask asked} for them. */
  get frames(): number {
    return this.closed ? 0 : this.#frames[0]!
  }

  /** Looks so far; it wraps. */
  get looks(): number {
    return this.closed ? 0 : Atomics.load(this.#words, LOOKS)
  }

  /** Memory that was given back is touched no more. */
  get closed(): boolean {
    return this.#mapping.state === 'unmapped'
  }

  /** Has looks count frames, or no longer: from the second one on they do, as the first may be under way. */
  ask(counts: boolean): void {
    if (!this.closed) Atomics.store(this.#words, ASKED, Number(counts))
  }

  /** The device's side: notes the frames so far where they are asked for. */
  look(count: () => number): void {
    if (Atomics.load(this.#words, ASKED) !== 0) this.#frames[0] = count()
    // Release: a thread that sees this look sees its frames, and the driver's last ones in the look after that.
    Atomics.add(this.#words, LOOKS, 1)
  }

  /** Asks the device to end. */
  finish(): void {
    if (!this.closed) Atomics.store(this.#words, FINISH, 1)
  }

  get finishing(): boolean {
    return Atomics.load(this.#words, FINISH) !== 0
  }

  close(): void {
    this.#mapping.unmap()
  }
}

function mapPage(fd: number): Mapping {
  ftruncateSync(fd, BYTES)
  return Mapping.of(fd, { length: BYTES })
}
