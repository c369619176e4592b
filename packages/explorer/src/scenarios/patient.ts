import type { Scenario } from '../scenario.ts'

/** A scenario whose waiting is not bounded: under the mutex the notifier waits for whole rounds, by design. */
export function patient(scenario: Scenario): Scenario {
  return {
    ...scenario,
    prepare: (world) => {
      const prepared = scenario.prepare(world)
      return { ...prepared, threads: prepared.threads.map((thread) => ({ ...thread, boundedWait: false })) }
    },
  }
}
