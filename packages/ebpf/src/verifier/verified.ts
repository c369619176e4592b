import type { GlobalFunction } from '../object/global-function.ts'
import type { Facts } from './facts.ts'
import type { VerifierState } from './state.ts'
import type { Subprogram } from './structure.ts'

/** What the verifier found out about a program that it accepts. */
export interface Verified {
  readonly facts: Facts
  readonly subprograms: readonly Subprogram[]
  /** Instructions that were followed, over all paths. */
  readonly instructionCount: number
  /** No path writes to the packet or moves its ends. */
  readonly readOnly: boolean
}

/** Sees the state before each instruction that is followed; it must leave it as it is. */
export type WatchVerifier = (slot: number, state: VerifierState) => void

/** What is known beside the instructions. */
export interface KnownBefore {
  /** What a map holds whose values can't change; undefined where they may. */
  readonly contents?: (map: number) => Uint8Array | undefined
  /** Declarations of global functions, by their first slots. */
  readonly globals?: ReadonlyMap<number, GlobalFunction>
  readonly watch?: WatchVerifier | undefined
}
