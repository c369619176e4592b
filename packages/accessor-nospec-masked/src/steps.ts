import { checked618Steps, checked2019Steps, checkedScalars2025Steps, type EraSteps } from '@vring/accessor'

/**
 * The steps of each access in each era, in order. In `2025-checked` they are those of `copy-checked`: the patch of 2019
 * was merged for scalars, and the two accessors met.
 */
export const steps: EraSteps = {
  '2019': checked2019Steps,
  '6.18': checked618Steps,
  '2025-checked': checkedScalars2025Steps,
}
