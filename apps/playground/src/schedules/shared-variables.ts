import type { Finding, ScheduleStep } from '@vring/explorer'

/** A step as a line: `used.map := null`, `used.map → null`, or what was done. */
export function stepText({ label, result }: ScheduleStep): string {
  if (result === '') return label
  return label.endsWith(':=') ? `${label} ${result}` : `${label} → ${result}`
}

/** A variable that threads share, as a step saw or left it. */
export interface SharedVariable {
  readonly name: string
  readonly value: string
  /** Name of the thread that touched it last. */
  readonly thread: string
  /** Stored, not only loaded, by that step. */
  readonly stored: boolean
  /** By the last step of those looked at. */
  readonly now: boolean
}

/**
 * What the first `steps` steps of a schedule show of the shared variables: each as it was loaded or stored last. Under a
 * memory model with store buffers a store is what its own thread sees, until a step makes it visible.
 */
export function sharedVariables({ schedule, threads }: Finding, steps: number): SharedVariable[] {
  const known = new Map<string, SharedVariable>()
  schedule.slice(0, steps).forEach((step, index) => {
    if (step.result === '') return
    const stored = step.label.endsWith(' :=')
    const name = stored ? step.label.slice(0, -3) : step.label
    const thread = threads[step.thread] ?? String(step.thread)
    known.set(name, { name, value: step.result, thread, stored, now: index === steps - 1 })
  })
  return [...known.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}
