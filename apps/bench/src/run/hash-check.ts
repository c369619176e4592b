import { variantOf } from '../cell/cell-spec.ts'
import type { TrialAnswer } from '../cell/protocol.ts'
import { isBuiltIn } from '../load-registry.ts'
import type { CellOutcome } from './group-outcome.ts'

/**
 * Cells of one group whose results differ from the others, or from one trial to the next. Each line names a cell and
 * what it differs in. Empty when all agree. What is delivered is the same over every ring; used elements are over rings
 * of one format and order. The floor takes part with its laps.
 */
export function hashDisagreements(cells: readonly CellOutcome[]): string[] {
  const finished = cells.filter(({ finish }) => finish !== null)
  const isOwn = ({ spec }: CellOutcome): boolean => isBuiltIn('accessor', spec.accessor)
  // What the others are held against is built in.
  const done = [...finished.filter(isOwn), ...finished.filter((cell) => !isOwn(cell))]
  const lines: string[] = []
  for (const { spec, trials } of cells) {
    const index = trials.findIndex((trial) => !leftTheSame(trial, trials[0]!))
    if (index > 0)
      lines.push(
        `${spec.id}: hash ${hashesOf(trials[index]!)} of trial ${index + 1} differs from ${hashesOf(trials[0]!)} of trial 1`,
      )
  }
  const check = (what: string, hashes: readonly (readonly [string, string])[]): void => {
    const first = hashes[0]
    if (first === undefined) return
    for (const [id, hash] of hashes)
      if (hash !== first[1]) lines.push(`${id}: ${what} ${hash} differs from ${first[1]} of ${first[0]}`)
  }
  check(
    'laps',
    done.map(({ spec, finish }) => [spec.id, finish!.lapHash]),
  )
  check(
    'hash',
    done.filter(({ finish }) => finish!.hash !== '').map(({ spec, finish }) => [spec.id, finish!.hash]),
  )
  for (const ring of new Set(done.map(ringOf))) {
    const same = done.filter((cell) => ringOf(cell) === ring)
    check(
      'used elements of laps',
      same.map(({ spec, finish }) => [spec.id, finish!.lapRingHash]),
    )
    check(
      'used elements',
      same.filter(({ finish }) => finish!.ringHash !== '').map(({ spec, finish }) => [spec.id, finish!.ringHash]),
    )
  }
  return lines
}

/** Did two trials leave the same counts and used elements? */
export function leftTheSame(one: Hashes, other: Hashes): boolean {
  return one.hash === other.hash && one.ringHash === other.ringHash
}

type Hashes = Pick<TrialAnswer, 'hash' | 'ringHash'>

function hashesOf({ hash, ringHash }: Hashes): string {
  return ringHash === '' ? hash : `${hash} ${ringHash}`
}

/** Format and order. */
function ringOf({ spec }: CellOutcome): string {
  const { ring, inOrder } = variantOf(spec)
  return `${ring} ${inOrder}`
}
