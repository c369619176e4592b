import type { Step } from '@vring/accessor'
import type { RegionName } from './layout.ts'
import type { Snapshot } from './snapshot.ts'
import type { AccessTrace } from './traced-accessor.ts'

/** Who did something. `kernel`: memory management, with its notifiers; `control`: the program that set the device up. */
export type Actor = 'driver' | 'device' | 'kernel' | 'control'

/** Bytes of a region that a moment is about, from the region's beginning. */
export interface Touch {
  readonly region: RegionName
  readonly offset: number
  readonly length: number
  readonly write: boolean
}

/** What happened, before it is put into its place. */
export interface Happening {
  readonly actor: Actor
  /** One line: `avail.idx → 1`. */
  readonly title: string
  /** More about it, or empty. */
  readonly detail?: string
  /** It went wrong. */
  readonly fault?: boolean
  readonly trace?: AccessTrace
  readonly touch?: Touch
  /** Steps of the Cpu port since the moment before. */
  readonly steps?: readonly Step[]
}

/** One indivisible thing that happened, and everything as it was after it. */
export interface Moment extends Happening {
  /** Index of the action that it belongs to; -1 for the beginning. */
  readonly action: number
  /** Hooks of its round that were passed, this moment's own included; 0 outside of rounds. */
  readonly hooks: number
  /** Injections into its round that had begun. */
  readonly injected: number
  readonly snapshot: Snapshot
}
