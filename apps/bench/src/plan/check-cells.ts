import { usageError } from '../bench-error.ts'
import { type CellSpec, chainCount, groupKey } from '../cell/cell-spec.ts'
import { idleKeys } from './idle-keys.ts'
import { SWEEP_KEYS, type SweepKey } from './sweep-keys.ts'

/**
 * Refuses cells that would run twice, that no ring can have, or that a swept key does not change.
 *
 * @throws BenchError with exit code 2
 */
export function checkCells(specs: readonly CellSpec[]): void {
  for (const spec of specs) {
    checkSwept(spec)
    checkRing(spec)
  }
  checkDuplicates(specs)
}

function checkSwept(spec: CellSpec): void {
  if (spec.barrier === 1 && spec.hooks === 0)
    throw usageError('--sweep', `${spec.id}: a build without hooks has no barrier either; accepted: one of the two`)
  const idle = idleKeys(spec)
  const swept = idle.find(({ key }) => spec.swept.includes(key))
  if (swept === undefined) return
  const accepted = (Object.keys(SWEEP_KEYS) as SweepKey[]).filter((key) => !idle.some((one) => one.key === key))
  throw usageError('--sweep', `${swept.key} changes nothing for ${swept.of}; accepted: ${accepted.join(', ')}`)
}

function checkRing(spec: CellSpec): void {
  const { id, queueSize, batch, chainLength, indirect } = spec
  if ((queueSize & (queueSize - 1)) !== 0)
    throw usageError('--sweep', `queue-size=${queueSize} is not accepted; accepted: a power of two from 2 to 32768`)
  const chains = chainCount(spec)
  if (chains < 1 || (!indirect && chainLength > queueSize))
    throw usageError('--sweep', `${id}: a chain of ${chainLength} does not fit a ring of ${queueSize}`)
  if (batch > chains)
    throw usageError('--sweep', `${id}: a batch of ${batch} does not fit the ${chains} chains of its ring`)
}

/** Two cells of one id, or of one accessor whose options come to the same: the list has one of them in two spellings. */
function checkDuplicates(specs: readonly CellSpec[]): void {
  const seen = new Map<string, string>()
  for (const spec of specs) {
    const options = Object.entries(spec.options).sort(([a], [b]) => (a < b ? -1 : 1))
    const what = JSON.stringify([spec.accessor, options, groupKey(spec)])
    const earlier = seen.get(what)
    if (earlier !== undefined) {
      const both = earlier === spec.id ? `${spec.id} is there twice` : `${spec.id} is what ${earlier} is`
      throw usageError('cells', `${both}; each cell runs once`)
    }
    seen.set(what, spec.id)
  }
}
