import type { ExploredWorld } from '../explored-world.ts'
import { type QueueOptions, QueueWorld, type QueueWorldOptions, structuralOf } from '../queue-world.ts'
import type { PreparedScenario, Scenario } from '../scenario.ts'

/** A scenario for any strategy: its threads and checks, given what the queue's world differs in. */
export type QueueScenario = (options: QueueWorldOptions) => Scenario

/** A scenario of one queue. */
export function queueScenario(
  name: string,
  description: string,
  parts: (queue: QueueWorld, world: ExploredWorld) => PreparedScenario,
  fixed: QueueOptions = {},
): QueueScenario {
  return (options) => ({
    name,
    description,
    structural: structuralOf(options),
    prepare: (world) => {
      const space = { ...fixed.space, ...options.space }
      const queue = new QueueWorld(world, { ...fixed, ...options, space })
      return parts(queue, world)
    },
  })
}

/** Ends every scenario that has no reason not to: mapping works again, and closing gives everything back. */
export function settled(queue: QueueWorld): () => void {
  return () => {
    queue.checkFastPath()
    queue.checkClosed()
  }
}
