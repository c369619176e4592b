/**
 * A notifier of one's own under the schedule explorer. It closes its mapping while an invalidation is open. One that
 * keeps a flag forgets that invalidations overlap: the end of the first opens what the second still needs closed. One
 * that counts has no finding.
 *
 *   npx tsx --conditions=@vring/source examples/own-notifier.ts
 */

import assert from 'node:assert/strict'
import {
  ExploringCpu,
  ExploringPort,
  explore,
  formatTimeline,
  ModelSpace,
  pageRange,
  type Scenario,
} from '@vring/explorer'
import type { KernelMapping } from '@vring/memory'
import { Cell, Lock, type MmuNotifierOps, type SyncPort } from '@vring/mmu-notifier'

const PAGE = 1

/**
 * Keeps one mapping. What threads share is in cells, and goes through the port: each call is a place where another one
 * may run.
 */
class OwnNotifier implements MmuNotifierOps {
  readonly name = 'own'
  readonly #port: SyncPort
  readonly #counts: boolean
  readonly #lock = new Lock('own')
  readonly #open = new Cell('open', 0)
  readonly #mapping = new Cell<KernelMapping | null>('mapping', null)

  constructor(port: SyncPort, counts: boolean) {
    this.#port = port
    this.#counts = counts
  }

  invalidateRangeStart(): number {
    this.#port.spinLock(this.#lock)
    this.#port.store(this.#open, this.#counts ? this.#port.load(this.#open) + 1 : 1)
    this.#drop()
    this.#port.spinUnlock(this.#lock)
    return 0
  }

  invalidateRangeEnd(): void {
    this.#port.spinLock(this.#lock)
    this.#port.store(this.#open, this.#counts ? this.#port.load(this.#open) - 1 : 0)
    this.#port.spinUnlock(this.#lock)
  }

  /** Maps the page, unless it is mapped or about to change. */
  map(space: ModelSpace): void {
    this.#port.spinLock(this.#lock)
    if (this.#port.load(this.#open) === 0 && this.#port.load(this.#mapping) === null) {
      const made = space.mapKernel({ address: PAGE * 4096, length: 4096, write: false, mapping: 'vmap' })
      if (typeof made !== 'string') this.#port.store(this.#mapping, made)
    }
    this.#port.spinUnlock(this.#lock)
  }

  /** Loads a word through the mapping, where there is one. */
  load(cpu: ExploringCpu): void {
    this.#port.spinLock(this.#lock)
    const mapping = this.#port.load(this.#mapping)
    if (mapping !== null) cpu.load16(mapping.view.u16, mapping.base >>> 1)
    this.#port.spinUnlock(this.#lock)
  }

  close(): void {
    this.#drop()
  }

  #drop(): void {
    const mapping = this.#port.load(this.#mapping)
    if (mapping === null) return
    this.#port.store(this.#mapping, null)
    mapping.release()
  }
}

/** `prepare` sets the world up; the explorer then runs the threads in every order, and `finish` when all have ended. */
function overlap(counts: boolean): Scenario {
  return {
    name: counts ? 'a notifier that counts' : 'a notifier with a flag',
    description: 'two invalidations of a page overlap in time while a thread maps it',
    prepare(world) {
      const port = new ExploringPort(world)
      const space = new ModelSpace(world, { pages: [PAGE] })
      const cpu = new ExploringCpu(world, space)
      const own = new OwnNotifier(port, counts)
      const unregister = space.notifiers.register(own)
      return {
        threads: [
          {
            name: 'datapath',
            run() {
              own.map(space)
              own.load(cpu)
            },
          },
          { name: 'migration', run: () => space.migrate(pageRange(PAGE, 'migrate')) },
          { name: 'mprotect', run: () => space.invalidate(pageRange(PAGE, 'protection-page')) },
        ],
        finish() {
          own.close()
          unregister()
          space.checkAllReleased()
        },
      }
    },
  }
}

const flag = explore(overlap(false))
assert.equal(flag.finding?.kind, 'stale-mapping')
console.log(formatTimeline(flag.finding))

const counter = explore(overlap(true))
assert.equal(counter.finding, null)
assert.equal(counter.exhausted, true)
console.log(`\na notifier that counts: no finding in ${counter.schedules} schedules`)
