import { speculate } from '@vring/speculation'
import { type ConformanceCase, check } from '../conformance-case.ts'

/** What `supports.speculationSafe` claims. One misprediction a path: the checker itself goes further. */
export const speculationCases: readonly ConformanceCase[] = [
  {
    suite: 'speculation',
    title: 'M19: no mispredicted branch makes a device load out of bounds',
    appliesTo: ({ supports }) => supports.speculationSafe,
    run({ plugin, options }) {
      const { findings, unseen } = speculate(plugin, { options, depth: 1 })
      const [finding] = findings
      const [guard] = unseen
      check(finding === undefined, `${finding?.kind} on the ring "${finding?.ring}": ${finding?.detail}`)
      check(guard === undefined, `not shown: ${guard?.window}.${guard?.access} goes past the port: ${guard?.detail}`)
    },
  },
]
