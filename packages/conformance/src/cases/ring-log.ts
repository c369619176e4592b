import type { Area } from '@vring/layout'
import { AREAS, featureSet, VIRTIO_F_EVENT_IDX } from '@vring/layout'
import { about, areaOf } from '../about.ts'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'
import { onEveryRing, type RingBed } from './ring-bed.ts'

/** A note of the guest-migration log, and what stood there when it was made. */
interface Note {
  readonly area: Area
  readonly offset: number
  readonly bytes: Uint8Array
}

/** The guest-migration log of what a ring stores. */
export const ringLogCases: readonly ConformanceCase[] = [
  {
    suite: 'ring log',
    title: 'each byte that a ring changes is in the migration log, after it was stored and outside of every hold',
    run(subject) {
      for (const features of [0n, featureSet(VIRTIO_F_EVENT_IDX)]) {
        const notes: Note[] = []
        let bed: RingBed | null = null
        const write = (area: Area, offset: number, length: number): void => {
          notes.push({ area, offset, bytes: bed!.world.driver.bytes(area).slice(offset, offset + length) })
        }
        onEveryRing(subject, { features, device: { log: { write } } }, (one, where) => {
          bed = one
          const { device, batch, driver, world } = one
          /** Runs a step and looks at what it changed. */
          const logged = (what: string, step: () => void): void => {
            const before = AREAS.map((area) => world.driver.bytes(area).slice())
            notes.length = 0
            one.round(step)
            for (const [index, area] of AREAS.entries())
              checkNoted(notes, area, before[index]!, world.driver.bytes(area), `${where}: ${what}`)
          }
          for (let lap = 0; lap < 5; lap++) {
            one.addSingles(2, 60, true)
            one.addChain(1, 2, 3)
            driver.publish()
            checkEqual(one.pop(), 3, `${where}: chains`)
            logged('flush', () => {
              for (let chain = 0; chain < 3; chain++) device.push(batch, chain, 100 * lap + 7 + chain)
              checkEqual(device.flush(), 0, `${where}: flush`)
            })
            checkEqual(driver.reclaim(), 3, `${where}: used chains`)
            logged('disableNotification', () => device.disableNotification())
            logged('enableNotification', () => checkEqual(device.enableNotification(), 0, `${where}: an empty ring`))
          }
        })
      }
    },
  },
]

/** Each byte that differs was noted, and stood there by then. */
function checkNoted(notes: readonly Note[], area: Area, before: Uint8Array, after: Uint8Array, what: string): void {
  for (let at = 0; at < after.length; at++) {
    if (before[at] === after[at]) continue
    const note = notes.find((one) => one.area === area && at >= one.offset && at < one.offset + one.bytes.length)
    check(note !== undefined, about`${what}: byte ${at} of ${areaOf(area)} was changed and is not in the log`)
    const stood = note.bytes[at - note.offset]
    check(stood === after[at], about`${what}: byte ${at} of ${areaOf(area)} was in the log before it was stored`)
  }
}
