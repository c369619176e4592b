import { checkedScalars2025Steps, type EraSteps, unchecked618Steps, unchecked2019Steps } from '@vring/accessor'

/** The steps of each access in each era, in order. */
export const steps: EraSteps = {
  '2019': unchecked2019Steps,
  '6.18': unchecked618Steps,
  '2025-checked': checkedScalars2025Steps,
}
