import type { Era } from './era.ts'

/**
 * One step of an access, named as the counters of `CountingCpu` name it; `predict` is a conditional branch. A 16-byte
 * descriptor is two loads; each used element of a copy is one store.
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
  | 'lock'

/** The accesses whose steps differ: window methods, and `storeUsed` of one element and of two. */
export type StepKey =
  | 'load16'
  | 'load32'
  | 'loadDescriptor'
  | 'store16'
  | 'store32'
  | 'storeUsed of 1'
  | 'storeUsed of 2'

/** The steps of each access, in order. Tests compare what a `RecordingCpu` saw with it. */
export type StepTable = Readonly<Record<StepKey, readonly Step[]>>

/** The steps of an accessor in each era. */
export type EraSteps = Readonly<Record<Era, StepTable>>
