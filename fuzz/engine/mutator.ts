import { randomStream } from './random-stream.ts'

const INTERESTING = [
  0, 1, 2, 3, 4, 8, 15, 16, 17, 32, 63, 64, 100, 127, 128, 255, 256, 511, 1024, 4095, 4096, 32767, 32768,
]
const WIDE = [0xffff, 0x10000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff, 0x00ff_ffff, 0x0010_0000]

/**
 * Changes inputs: bits, bytes, words, pieces moved, doubled, left out or taken from another input, words of a
 * dictionary.
 */
export class Mutator {
  readonly #random: (bound: number) => number
  readonly #dictionary: readonly Uint8Array[]
  readonly #maxBytes: number

  constructor(seed: number, dictionary: readonly Uint8Array[], maxBytes: number) {
    this.#random = randomStream(seed)
    this.#dictionary = dictionary
    this.#maxBytes = maxBytes
  }

  /** A number from 0 to `bound` - 1. */
  below(bound: number): number {
    return this.#random(bound)
  }

  /** A changed copy. */
  mutate(input: Uint8Array, other: Uint8Array): Uint8Array {
    let bytes: Uint8Array = input.slice()
    // Few changes mostly, many now and then.
    const changes = 1 << this.below(5)
    for (let change = 0; change < changes; change++) bytes = this.#change(bytes, other)
    return bytes.length > this.#maxBytes ? bytes.slice(0, this.#maxBytes) : bytes
  }

  #change(bytes: Uint8Array, other: Uint8Array): Uint8Array {
    const { length } = bytes
    if (length === 0) return this.#insert(bytes, 0, this.#noise(1 + this.below(16)))
    const at = this.below(length)
    switch (this.below(12)) {
      case 0:
        bytes[at]! ^= 1 << this.below(8)
        return bytes
      case 1:
        bytes[at] = this.below(256)
        return bytes
      case 2:
        bytes[at]! += 1 + this.below(16)
        return bytes
      case 3:
        bytes[at]! -= 1 + this.below(16)
        return bytes
      case 4:
        return this.#write(bytes, at, this.#number())
      case 5:
        return this.#remove(bytes, at, 1 + this.below(Math.min(length - at, 1 << this.below(10))))
      case 6:
        return this.#insert(bytes, at, this.#noise(1 + this.below(1 << this.below(6))))
      case 7: {
        const piece = bytes.slice(at, at + 1 + this.below(64))
        return this.#insert(bytes, this.below(length + 1), piece)
      }
      case 8: {
        const piece = bytes.slice(at, at + 1 + this.below(32))
        return this.#write(bytes, this.below(length), piece)
      }
      case 9: {
        if (other.length === 0) return bytes
        const from = this.below(other.length)
        return this.#insert(bytes, at, other.subarray(from, from + 1 + this.below(64)))
      }
      case 10: {
        if (other.length === 0) return bytes
        const cut = this.below(other.length)
        return concat(bytes.subarray(0, at), other.subarray(cut))
      }
      default: {
        if (this.#dictionary.length === 0) return this.#write(bytes, at, this.#number())
        const word = this.#dictionary[this.below(this.#dictionary.length)]!
        return this.below(2) === 0 ? this.#write(bytes, at, word) : this.#insert(bytes, at, word)
      }
    }
  }

  /** An interesting number in 1, 2, 4 or 8 bytes, in either byte order. */
  #number(): Uint8Array {
    const width = 1 << this.below(4)
    const pool = this.below(3) === 0 ? WIDE : INTERESTING
    const value = BigInt(pool[this.below(pool.length)]!)
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setBigUint64(0, this.below(4) === 0 ? -value : value, true)
    const cut = bytes.slice(0, width)
    return this.below(4) === 0 ? cut.reverse() : cut
  }

  #noise(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256))
  }

  #write(bytes: Uint8Array, at: number, piece: Uint8Array): Uint8Array {
    bytes.set(piece.subarray(0, bytes.length - at), at)
    return bytes
  }

  #insert(bytes: Uint8Array, at: number, piece: Uint8Array): Uint8Array {
    return concat(bytes.subarray(0, at), piece, bytes.subarray(at))
  }

  #remove(bytes: Uint8Array, at: number, count: number): Uint8Array {
    return concat(bytes.subarray(0, at), bytes.subarray(at + count))
  }
}

function concat(...pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}
