import type { Machine } from './machine.ts'

/** What can go wrong: what an exploration looks for. */
export type FindingKind =
  | 'stale-mapping'
  | 'wrong-memory'
  | 'lost-dirty'
  | 'negative-count'
  | 'fast-path-off'
  | 'used-lost'
  | 'used-doubled'
  | 'stale-entry'
  | 'unchecked-value'
  | 'lost-notification'
  | 'deadlock'
  | 'map-leak'
  | 'double-release'
  | 'reference-count'
  | 'bad-frames'
  | 'unbounded-wait'
  | 'refused'
  | 'stuck'
  | 'not-reached'
  | 'hidden-state'
  | 'exception'

/**
 * One indivisible step of a thread: what it calls a port for, and where another thread may run in between.
 *
 * - `load`, `store`: one variable, under the memory model; `locate` says which at the moment it happens
 * - `atomic`: anything else, on committed memory, and a full barrier; it may have to wait
 * - `rmb`, `wmb`, `mb`: barriers
 */
export type Operation =
  | {
      readonly kind: 'load'
      readonly label: string
      /** The variable, or -1: there is none now, the result is `undefined`. */
      locate(machine: Machine): number
      readonly acquire?: boolean
      /** The access is one of a ring, for bounds of waiting. */
      readonly access?: boolean
      /** It goes through a mapping, and not through the page tables. */
      readonly mapped?: boolean
      /** Called when it happens. */
      check?(machine: Machine): void
    }
  | {
      readonly kind: 'store'
      readonly label: string
      /** The variable, or -1: there is none now, and the result is false. */
      locate(machine: Machine): number
      readonly value: unknown
      readonly release?: boolean
      readonly access?: boolean
      readonly mapped?: boolean
      /** Called when it happens, before it is visible to others. */
      check?(machine: Machine): void
      /** Called when it becomes visible. */
      commit?(machine: Machine): void
    }
  | {
      readonly kind: 'atomic'
      readonly label: string
      readonly access?: boolean
      readonly mapped?: boolean
      /** It is about what no other thread reaches: it orders nothing, and waits for no store. */
      readonly own?: boolean
      /** May it happen now? Default: always. */
      enabled?(machine: Machine): boolean
      /**
       * Can no other thread do or see anything now that depends on it, nor it on them? Then its order among their steps
       * makes no difference, and only one is explored. Default: never.
       */
      isPrivate?(machine: Machine): boolean
      run(machine: Machine): unknown
    }
  | { readonly kind: 'rmb' | 'wmb' | 'mb'; readonly label: string; readonly access?: never; readonly mapped?: never }

/** How stores become visible and loads may be overtaken. */
export type MemoryModel =
  /** Sequential consistency: each step is visible to all at once. */
  | 'sc'
  /** x86: a store waits in its thread's buffer, first in, first out; loads may overtake it. */
  | 'tso'
  /** Beyond x86: buffered stores to different variables overtake one another up to a wmb, loads up to an rmb. */
  | 'weak'

/** All models, strongest first. */
export const MEMORY_MODELS: readonly MemoryModel[] = ['sc', 'tso', 'weak']
