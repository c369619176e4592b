import type { Cores } from '../placement/core-watch.ts'
import type { CellSpec } from './cell-spec.ts'

/** What the orchestrator asks of a cell's process. One request, one answer, in turn. */
export type Request =
  | PrepareRequest
  | { readonly type: 'trial'; readonly durationMs: number }
  | { readonly type: 'finish' }
  | CountRequest

/** Builds the cell and warms it up. */
export interface PrepareRequest {
  readonly type: 'prepare'
  readonly spec: CellSpec
  readonly seed: number
  /** Plugins to load first: paths and URLs as seen from the orchestrator's directory. */
  readonly plugins: readonly string[]
  /** A short warm-up: the rate is not what is wanted. */
  readonly quick: boolean
  /** CPUs of a driver in a thread of its own, and of the device; null: wherever the kernel puts them. */
  readonly cores: Cores | null
}

/** Counts the steps of a cell in a process that has not prepared one. */
export interface CountRequest {
  readonly type: 'count'
  readonly spec: CellSpec
  readonly seed: number
  readonly plugins: readonly string[]
}

/** What a cell's process answers. */
export type Answer =
  | { readonly type: 'prepared'; readonly warmUpPieces: number }
  | TrialAnswer
  | FinishAnswer
  | CountAnswer
  | { readonly type: 'failed'; readonly reason: string }

/** One timed trial. */
export interface TrialAnswer {
  readonly type: 'trial'
  readonly packets: number
  readonly seconds: number
  /** ns a packet of chunks: median and 99th percentile. */
  readonly nsPerPacket: { readonly median: number; readonly p99: number }
  /** Of the counts and verdicts of the trial's laps, per lap. */
  readonly hash: string
  /** Of the used elements and the ids that came back, per lap. */
  readonly ringHash: string
}

/** What is known when the trials are over. */
export interface FinishAnswer {
  readonly type: 'finished'
  /** Of the trials' laps and of a verification run whose delivered frames are hashed too; empty for the floor. */
  readonly hash: string
  /** The same of the used elements; empty for the floor and of a real driver's. */
  readonly ringHash: string
  /** Of the trials' laps alone: what the floor can be compared by. */
  readonly lapHash: string
  readonly lapRingHash: string
  readonly steps: CountAnswer['steps']
  readonly payloadSteps: CountAnswer['payloadSteps']
  readonly accesses: Record<string, number>
  readonly residentBytes: number
}

/** The steps of a cell, empty where there is nothing to count. */
export interface CountAnswer {
  readonly type: 'counted'
  /** Per packet, metadata only. */
  readonly steps: Record<string, number>
  /** Per packet, payload only. */
  readonly payloadSteps: Record<string, number>
}
