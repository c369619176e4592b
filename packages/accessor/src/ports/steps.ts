import type { Era } from '../uaccess/era.ts'

/**
 * One step of an access, named as the counters of `CountingCpu` name it; `predict` is a conditional branch. Two
 * words of a copy are one load or store.
 */
export type Step =
  | 'limitCheck'
  | 'predict'
  | 'mask'
  | 'stac'
  | 'lfence'
  | 'walk'
  | 'load'
  | 'store'
  | 'clac'
  | 'iotlbLookup'
  | 'mb'
  | 'rmb'
  | 'wmb'
  | 'lock'

/** The accesses whose steps differ: window methods, copies by their number of words. */
export type StepKey =
  | 'load16'
  | 'load32'
  | 'loadWords of 4'
  | 'store16'
  | 'store32'
  | 'storeWords of 2'
  | 'storeWords of 4'

/** The steps of each access, in order. Tests compare what a `RecordingCpu` saw with it. */
export type StepTable = Readonly<Record<StepKey, readonly Step[]>>

/** The steps of an accessor in each era. */
export type EraSteps = Readonly<Record<Era, StepTable>>
