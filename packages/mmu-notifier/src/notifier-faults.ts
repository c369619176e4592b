import { VringError } from '@vring/layout'
import { Cell, Lock, type SyncPort } from './sync/sync-port.ts'

/** Errors of callbacks that are kept until they are taken; the rest is counted. */
const FAULTS_MAX = 64

/** What callbacks threw, or returned without a right to: kept with the listener's name, so that none damages its caller. */
export class NotifierFaults {
  readonly #port: SyncPort
  readonly #lock = new Lock('notifier faults lock')
  readonly #kept = new Cell<readonly VringError[]>('faults', [])
  readonly #count = new Cell('fault count', 0)

  constructor(port: SyncPort) {
    this.#port = port
  }

  /** All of them, those that were not kept too. */
  get count(): number {
    return this.#port.load(this.#count)
  }

  /** Those that were not taken yet, oldest first. */
  get kept(): readonly VringError[] {
    return this.#port.load(this.#kept)
  }

  /** Takes the oldest, or null. */
  take(): VringError | null {
    const port = this.#port
    port.spinLock(this.#lock)
    const kept = port.load(this.#kept)
    if (kept.length > 0) port.store(this.#kept, kept.slice(1))
    port.spinUnlock(this.#lock)
    return kept[0] ?? null
  }

  keep(cause: unknown, name: string): void {
    const port = this.#port
    const reason = cause instanceof Error ? cause.message : String(cause)
    port.spinLock(this.#lock)
    port.store(this.#count, port.load(this.#count) + 1)
    const kept = port.load(this.#kept)
    if (kept.length < FAULTS_MAX)
      port.store(this.#kept, [
        ...kept,
        new VringError('ERR_NOTIFIER', `listener ${name}: ${reason}`, { field: 'listener', value: name, cause }),
      ])
    port.spinUnlock(this.#lock)
  }
}
