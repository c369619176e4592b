import type { Arguments } from '../arguments.ts'
import { usageError } from '../bench-error.ts'
import { type CellSpec, turnKey } from '../cell/cell-spec.ts'
import { parseShard, SHARD_ACCEPTED, type Shard } from './parse-shard.ts'

/**
 * `--shard 2/4`; null: all of it.
 *
 * @throws BenchError with exit code 2
 */
export function readShard(args: Arguments): Shard | null {
  const text = args.text('shard')
  if (text === null) return null
  const shard = parseShard(text)
  if (shard === null)
    throw usageError('--shard', `${JSON.stringify(text)} is not accepted; accepted: ${SHARD_ACCEPTED}`)
  return shard
}

/** The cells of one part: whole groups, dealt out in turn, so that cells that are compared stay on one machine. */
export function shardOf(specs: readonly CellSpec[], shard: Shard | null): readonly CellSpec[] {
  if (shard === null) return specs
  const groups = [...new Set(specs.map(turnKey))]
  const mine = new Set(groups.filter((_, index) => index % shard.of === shard.part - 1))
  return specs.filter((spec) => mine.has(turnKey(spec)))
}
