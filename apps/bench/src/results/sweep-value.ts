import type { CellSpec } from '../cell/cell-spec.ts'
import { SWEEP_KEYS, type SweepKey } from '../plan/sweep-keys.ts'

/** A cell's value of a key, as arguments and results have it: a number, or `imix` for the mix of frame lengths. */
export function sweepValue(spec: CellSpec, key: SweepKey): number | 'imix' {
  if (key === 'frame-bytes' && spec.frameBytes === 0) return 'imix'
  return Number(spec[SWEEP_KEYS[key].field])
}
