import type { State } from './state.ts'

/** A state that one step leads to, and who took the step: a thread, or the store buffer of one. */
export interface Successor {
  readonly state: State
  /** A thread's index, or the number of threads plus it for the thread's store buffer. */
  readonly actor: number
}

/** Which of the steps that are possible is taken next. */
export type Scheduler = (successors: readonly Successor[]) => Successor

/** Random numbers below a bound. */
export type RandomStream = (bound: number) => number

/** Each possible step with the same probability. */
export function uniformScheduler(random: RandomStream): Scheduler {
  return (successors) => successors[random(successors.length)]!
}

/**
 * Probabilistic concurrency testing. Actors have random priorities, and the highest one that can takes the step. At
 * `depth - 1` random steps the one whose turn it is falls below all others. A bug that needs `depth` ordering
 * constraints is found by a schedule with a probability of at least 1 / (actors x steps^(depth - 1)). Where one step
 * has several results, they are equally probable.
 *
 * Source: Burckhardt, Kothari, Musuvathi, Nagarakatte, A Randomized Scheduler with Probabilistic Guarantees of Finding
 * Bugs, ASPLOS 2010. A store buffer is an actor of its own here, which the paper, on sequential consistency, does not have.
 *
 * @param steps length of a schedule, about
 */
export function pctScheduler(random: RandomStream, actors: number, steps: number, depth: number): Scheduler {
  const priorities = Array.from({ length: actors }, (_, actor) => depth + actor)
  for (let at = actors - 1; at > 0; at--) {
    const other = random(at + 1)
    const kept = priorities[at]!
    priorities[at] = priorities[other]!
    priorities[other] = kept
  }
  const changes = Array.from({ length: depth - 1 }, () => random(Math.max(1, steps)))
  let step = 0
  const highest = (successors: readonly Successor[]): number =>
    successors.reduce(
      (best, { actor }) => (priorities[actor]! > priorities[best]! ? actor : best),
      successors[0]!.actor,
    )
  return (successors) => {
    for (const [index, change] of changes.entries())
      if (change === step) priorities[highest(successors)] = depth - 1 - index
    step++
    const actor = highest(successors)
    const possible = successors.filter((successor) => successor.actor === actor)
    return possible[possible.length === 1 ? 0 : random(possible.length)]!
  }
}
