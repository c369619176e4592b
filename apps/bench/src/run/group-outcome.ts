import type { CellSpec } from '../cell/cell-spec.ts'
import type { CountAnswer, FinishAnswer, TrialAnswer } from '../cell/protocol.ts'
import type { PeerName } from '../peers/peer-names.ts'
import type { PeerReport } from '../peers/peer-protocol.ts'
import type { Slice, SliceCount } from '../slices/slice.ts'

/** What became of one cell. */
export interface CellOutcome {
  readonly spec: CellSpec
  readonly trials: readonly TrialAnswer[]
  /** Of a cell whose driver has a core of its own: the same trials, and where the cores were. */
  readonly slices: readonly Slice[] | null
  readonly finish: FinishAnswer | null
  /** Its steps where it was interrupted before it finished, else null. */
  readonly counted: CountAnswer | null
  /** Names of the features that were negotiated; null: they were not asked for. */
  readonly features: readonly string[] | null
  /** Why it has no result, or null. */
  readonly failure: string | null
}

/** What became of one peer. */
export interface PeerOutcome {
  readonly name: PeerName
  readonly label: string
  readonly spec: CellSpec
  readonly trials: readonly SliceCount[]
  readonly slices: readonly Slice[] | null
  readonly report: PeerReport | null
  readonly failure: string | null
}

export interface GroupOutcome {
  readonly cells: readonly CellOutcome[]
  /** The first accessor again, or null. */
  readonly self: CellOutcome | null
  readonly peers: readonly PeerOutcome[]
}
