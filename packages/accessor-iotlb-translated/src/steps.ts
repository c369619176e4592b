import {
  checkedScalars2025Steps,
  type EraSteps,
  type Step,
  type StepTable,
  unchecked618Steps,
  unchecked2019Steps,
} from '@vring/accessor'

/** The steps of each access through a cached translation: those of the unchecked primitive, nothing else. */
export const steps: EraSteps = {
  '2019': unchecked2019Steps,
  '6.18': unchecked618Steps,
  '2025-checked': checkedScalars2025Steps,
}

/** The steps of each access that looks its range up and finds it in one entry. */
export const lookupSteps: EraSteps = {
  '2019': afterLookup(unchecked2019Steps),
  '6.18': afterLookup(unchecked618Steps),
  '2025-checked': afterLookup(checkedScalars2025Steps),
}

/** Scalars keep their primitive; copies go through an iov_iter, whose copier checks, branches and moves words. */
function afterLookup(table: StepTable): StepTable {
  const scalar = (steps: readonly Step[]): readonly Step[] => ['iotlbLookup', ...steps]
  const copy = (words: readonly Step[]): readonly Step[] => [
    'iotlbLookup',
    'limitCheck',
    'predict',
    'stac',
    'walk',
    ...words,
    'clac',
  ]
  return {
    load16: scalar(table.load16),
    load32: scalar(table.load32),
    'loadWords of 4': copy(['load', 'load', 'load', 'load']),
    store16: scalar(table.store16),
    store32: scalar(table.store32),
    'storeWords of 2': copy(['store', 'store']),
    'storeWords of 4': copy(['store', 'store', 'store', 'store']),
  }
}
