import { type Arguments, oneOf } from '../arguments.ts'
import { usageError } from '../bench-error.ts'
import type { CellSpec } from '../cell/cell-spec.ts'
import { frameLengthOf } from './frame-lengths.ts'
import { SWEEP_KEYS, type SweepKey } from './sweep-keys.ts'

/** What `--sweep` varies: the keys, and one step for each combination of their values. */
export interface Sweep {
  readonly keys: readonly SweepKey[]
  /** What each step changes in a cell; one that changes nothing where nothing is swept. */
  readonly steps: readonly Partial<CellSpec>[]
}

/**
 * `--sweep queue-size=256,1024`, any number of times.
 *
 * @throws BenchError with exit code 2: an unknown key, one that is swept twice, a value that is not accepted or there twice
 */
export function readSweep(args: Arguments): Sweep {
  const keys: SweepKey[] = []
  let steps: Partial<CellSpec>[] = [{}]
  for (const text of args.all('sweep')) {
    const [name = '', ...rest] = text.split('=')
    // All after the first sign: a second one is part of a value, and refused with it.
    const values = rest.join('=')
    const key = oneOf('--sweep', name, Object.keys(SWEEP_KEYS) as SweepKey[])
    if (keys.includes(key)) throw usageError('--sweep', `${key} is swept twice; each cell runs once`)
    keys.push(key)
    const numbers = values.split(',').map((value) => sweptValue(key, value))
    if (new Set(numbers).size !== numbers.length)
      throw usageError('--sweep', `${text} lists a value twice; each cell runs once`)
    const { field } = SWEEP_KEYS[key]
    steps = steps.flatMap((step) =>
      numbers.map((value) => ({ ...step, [field]: isSwitch(field) ? value === 1 : value })),
    )
  }
  return { keys, steps: keys.length === 0 ? steps : steps.map((step) => ({ ...step, swept: keys })) }
}

/** Fields that are true or false. */
function isSwitch(field: string): boolean {
  return field === 'indirect' || field === 'inOrder'
}

function sweptValue(key: SweepKey, text: string): number {
  if (key === 'frame-bytes') return frameLengthOf('--sweep frame-bytes', text)
  const { least, most } = SWEEP_KEYS[key]
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < least || number > most)
    throw usageError(
      '--sweep',
      `${key}=${JSON.stringify(text)} is not accepted; accepted: integers from ${least} to ${most}`,
    )
  return number
}
