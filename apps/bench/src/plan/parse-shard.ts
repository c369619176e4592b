/** Part `part` of `of`, counted from 1. */
export interface Shard {
  readonly part: number
  readonly of: number
}

/** More parts than any array job has. */
const PARTS_MAX = 1_000_000

/** What {@link parseShard} takes, for people. */
export const SHARD_ACCEPTED = `i/n with i from 1 to n, n up to ${PARTS_MAX}`

/** `2/4`; null: it is none. */
export function parseShard(text: string): Shard | null {
  const [part = 0, of = 0] = /^\d+\/\d+$/.test(text) ? text.split('/').map(Number) : []
  return part < 1 || part > of || of > PARTS_MAX ? null : { part, of }
}
