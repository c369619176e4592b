import { Machine } from './machine.ts'
import type { FindingKind, MemoryModel, Operation } from './operation.ts'
import { ThreadRunner } from './replayed-thread.ts'

/**
 * Where operations go. While a thread's function is replayed they come from its log. Otherwise, in setup and in final
 * checks, each happens at once, as there is no thread to interleave with.
 */
export class ExploredWorld {
  readonly machine: Machine
  readonly runner: ThreadRunner

  /** @param structural classes whose instances are equal when their fields are; see `Interner` */
  constructor(model: MemoryModel, structural: readonly unknown[] = []) {
    this.machine = new Machine(model, structural)
    this.runner = new ThreadRunner(this.machine.interner)
  }

  /** True when the next operation of the running thread has happened: {@link take} its result. */
  get hasResult(): boolean {
    return this.runner.hasResult
  }

  take(): unknown {
    return this.runner.take()
  }

  /** Does an operation; the caller has looked at {@link hasResult}. */
  perform(operation: Operation): unknown {
    return this.runner.isReplaying ? this.runner.suspend(operation) : this.#now(operation)
  }

  /** An indivisible step on committed memory. */
  atomic<T>(label: string, run: (machine: Machine) => T, enabled?: (machine: Machine) => boolean): T {
    if (this.hasResult) return this.take() as T
    const operation: Operation = { kind: 'atomic', label, run, ...(enabled && { enabled }) }
    return this.perform(operation) as T
  }

  /** {@link atomic} on what a lock protects: of no concern to other threads while the thread that does it holds the lock. */
  guarded<T>(label: string, run: (machine: Machine) => T, isPrivate: (machine: Machine) => boolean): T {
    if (this.hasResult) return this.take() as T
    return this.perform({ kind: 'atomic', label, run, isPrivate }) as T
  }

  /** A step on what no other thread reaches. */
  own<T>(label: string, run: (machine: Machine) => T): T {
    if (this.hasResult) return this.take() as T
    return this.perform({ kind: 'atomic', label, run, own: true, isPrivate: () => true }) as T
  }

  /** Reports a finding, as a step of its own. */
  fail(kind: FindingKind, message: string): void {
    this.atomic(kind, (machine) => machine.report(kind, message))
  }

  #now(operation: Operation): unknown {
    const { machine } = this
    machine.thread = -1
    switch (operation.kind) {
      case 'load': {
        operation.check?.(machine)
        const location = operation.locate(machine)
        return location < 0 ? undefined : machine.get(location)
      }
      case 'store': {
        operation.check?.(machine)
        const location = operation.locate(machine)
        if (location < 0) return false
        machine.set(location, operation.value)
        operation.commit?.(machine)
        return true
      }
      case 'atomic':
        if (operation.enabled?.(machine) === false) {
          machine.report('stuck', `${operation.label} would wait for ever: every thread has ended`)
          throw new Error(`${operation.label} would wait for ever`)
        }
        return operation.run(machine)
      default:
        return undefined
    }
  }
}
