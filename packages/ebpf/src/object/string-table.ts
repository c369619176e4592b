import { refused } from '@vring/layout'

/** Names are shorter than this. Source: Linux KSYM_NAME_LEN, 512; generously. */
const NAME_BYTES_MAX = 1024
/** Characters that are read of one table for each of its bytes: names may end alike, and then share their ends. */
const SHARING_MAX = 16

/** NUL-terminated strings by their offsets. */
export class StringTable {
  readonly #bytes: Uint8Array
  readonly #field: string
  readonly #known = new Map<number, string>()
  #left: number

  /** @param field how messages name it */
  constructor(bytes: Uint8Array, field: string) {
    this.#bytes = bytes
    this.#field = field
    this.#left = NAME_BYTES_MAX + SHARING_MAX * bytes.length
  }

  /**
   * The string at an offset.
   *
   * @throws VringError if it begins beyond the table, does not end in it, or is longer than a name can be. Or if so
   * many have been read that no compiler made them, which bounds time and memory
   */
  at(offset: number): string {
    const known = this.#known.get(offset)
    if (known !== undefined) return known
    const text = stringAt(this.#bytes, offset, this.#field)
    this.#left -= text.length
    if (this.#left < 0)
      throw refused(
        'ERR_OUT_OF_RANGE',
        `${this.#field}: characters of all names`,
        `more than ${NAME_BYTES_MAX + SHARING_MAX * this.#bytes.length}`,
        `${SHARING_MAX} for each byte of the table`,
      )
    this.#known.set(offset, text)
    return text
  }
}

/**
 * The string at an offset of a table.
 *
 * @throws VringError if it begins beyond the table, does not end in it, or is longer than a name can be
 */
export function stringAt(table: Uint8Array, offset: number, field: string): string {
  // An object without names has no table: offset 0 is the empty name there as well.
  if (offset === 0 && table.length === 0) return ''
  if (offset >= table.length) throw refused('ERR_OUT_OF_RANGE', `${field}: offset`, offset, `0 to ${table.length - 1}`)
  const longest = Math.min(table.length - offset, NAME_BYTES_MAX)
  const end = table.subarray(offset, offset + longest).indexOf(0)
  if (end >= 0) return String.fromCharCode(...table.subarray(offset, offset + end))
  throw refused(
    'ERR_INVALID_ARGUMENT',
    `${field}: string at ${offset}`,
    'without an end',
    `at most ${NAME_BYTES_MAX} bytes`,
  )
}
