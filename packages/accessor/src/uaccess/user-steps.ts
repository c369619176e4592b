import type { Step, StepTable } from '../ports/steps.ts'

const fencedGet: readonly Step[] = ['stac', 'lfence', 'walk', 'load', 'clac']
const plainPut: readonly Step[] = ['stac', 'walk', 'store', 'clac']
const plainCopyFrom: readonly Step[] = ['stac', 'walk', 'load', 'load', 'clac']
const plainCopyTo: readonly Step[] = ['stac', 'walk', 'store', 'store', 'clac']
const checked = (steps: readonly Step[]): readonly Step[] => ['limitCheck', 'predict', ...steps]
const clamped = (steps: readonly Step[]): readonly Step[] => ['mask', ...steps]
const checkedGet: readonly Step[] = checked(['mask', 'stac', 'walk', 'load', 'clac'])
const clampedGet: readonly Step[] = clamped(['stac', 'walk', 'load', 'clac'])
const clampedPut: readonly Step[] = clamped(plainPut)

/** Steps of `UncheckedUser2019`: only reads are fenced, the constant-size copy among them. */
export const unchecked2019Steps: StepTable = {
  load16: fencedGet,
  load32: fencedGet,
  'loadWords of 4': ['stac', 'lfence', 'walk', 'load', 'load', 'clac'],
  store16: plainPut,
  store32: plainPut,
  'storeWords of 2': [...plainPut, ...plainPut],
  'storeWords of 4': plainCopyTo,
}

/** Steps of `UncheckedUser618`: the copies have no barrier. */
export const unchecked618Steps: StepTable = {
  ...unchecked2019Steps,
  'loadWords of 4': plainCopyFrom,
  'storeWords of 2': plainPut,
}

/** Steps of `CheckedUser2019`: the mask exists in scalar reads only; puts and copies have just the branch. */
export const checked2019Steps: StepTable = {
  load16: checkedGet,
  load32: checkedGet,
  'loadWords of 4': checked(plainCopyFrom),
  store16: checked(plainPut),
  store32: checked(plainPut),
  'storeWords of 2': [...checked(plainPut), ...checked(plainPut)],
  'storeWords of 4': checked(plainCopyTo),
}

/** Steps of `CheckedUser618`: a clamp in place of branch and mask, except in `copy_to_user`. */
export const checked618Steps: StepTable = {
  load16: clampedGet,
  load32: clampedGet,
  'loadWords of 4': clamped(plainCopyFrom),
  store16: clampedPut,
  store32: clampedPut,
  'storeWords of 2': checked(plainPut),
  'storeWords of 4': checked(plainCopyTo),
}

/** Steps of `CheckedScalarsUser2025`: scalars as `CheckedUser618`, copies as `UncheckedUser618`. */
export const checkedScalars2025Steps: StepTable = {
  ...checked618Steps,
  'loadWords of 4': unchecked618Steps['loadWords of 4'],
  'storeWords of 2': unchecked618Steps['storeWords of 2'],
  'storeWords of 4': unchecked618Steps['storeWords of 4'],
}
