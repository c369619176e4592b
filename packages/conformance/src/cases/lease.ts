import type { RingLease } from '@vring/accessor'
import { AREAS, type Area } from '@vring/layout'
import { createWorld, type World } from '@vring/testkit'
import { about, areaOf } from '../about.ts'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'

/**
 * Direct access for a batch, of accessors that have it. One that has a lease must be able to hold it where memory is
 * plain: present, contiguous, anonymous. A case that never held would have shown nothing.
 */
export const leaseCases: readonly ConformanceCase[] = [
  {
    suite: 'lease',
    title: 'a lease is constant, and held where memory is plain: what is there is what the driver stored',
    run(subject) {
      const world = createWorld(subject)
      const { lease } = world.accessor
      if (lease === null) return
      world.fill(30)
      world.round(() => {
        check(lease.hold(), 'a lease over present, contiguous memory is held')
        for (const area of AREAS) checkHeld(world, lease, area)
        lease.release(0, 0, 0)
      })
      check(world.accessor.lease === lease, 'accessor.lease is the same object as long as the accessor lives')
    },
  },
  {
    suite: 'lease',
    title: 'accesses of a hold are counted as direct, each in its area',
    run(subject) {
      const world = createWorld(subject)
      const { lease, counters } = world.accessor
      if (lease === null) return
      world.round(() => {
        counters.reset()
        check(lease.hold(), 'a lease over present, contiguous memory is held')
        lease.release(3, 2, 1)
      })
      checkEqual(counters.snapshot(), { 'desc.direct': 3, 'device.direct': 1, 'driver.direct': 2 }, 'counters')
    },
  },
  {
    suite: 'lease',
    title: 'pages that move, vanish or are invalidated are followed by the next hold, or it is refused',
    run(subject) {
      const world = createWorld(subject)
      const { lease } = world.accessor
      if (lease === null) return
      let held = 0
      for (const area of AREAS)
        for (const change of ['migrate', 'swapOut', 'unmap'] as const) {
          world.fill(31)
          for (let round = 0; round < 3; round++)
            world.round(() => {
              if (round === 1) {
                world[change](area)
                if (change === 'unmap') world.mapAgain(area)
                world.driver.store16(area, 0, 0x2468)
              }
              if (!lease.hold()) return
              held++
              for (const each of AREAS) checkHeld(world, lease, each)
              lease.release(0, 0, 0)
            })
        }
      check(held >= AREAS.length, `${held} holds in 27 rounds`)
      checkEqual(world.staleMappings(), 0, 'stale mappings')
    },
  },
  {
    suite: 'lease',
    title: 'nothing is held while an invalidation of an area is open',
    run(subject) {
      const world = createWorld(subject)
      const { lease } = world.accessor
      if (lease === null) return
      world.round(() => {
        check(lease.hold(), 'a lease over present, contiguous memory is held')
        lease.release(0, 0, 0)
        for (const area of AREAS) {
          const end = world.openInvalidation(area)
          check(!lease.hold(), about`no hold while an invalidation of ${areaOf(area)} is open`)
          end()
        }
      })
    },
  },
  {
    suite: 'lease',
    title: 'a lease over scattered pages is refused, or shows what the driver stored',
    run(subject) {
      const world = createWorld(subject, { frames: 'scattered', queueSize: 1024 })
      const { lease } = world.accessor
      if (lease === null) return
      world.fill(32)
      world.round(() => {
        if (!lease.hold()) return
        for (const area of AREAS) checkHeld(world, lease, area)
        lease.release(0, 0, 0)
      })
    },
  },
  {
    suite: 'lease',
    title: 'what is stored in a hold is not lost when the page is reclaimed',
    run(subject) {
      const world = createWorld(subject)
      const { lease } = world.accessor
      if (lease === null) return
      world.fill(33)
      world.swapOut('device')
      world.driver.bytes('device')
      world.round(() => {
        check(lease.hold(), 'a lease over present, contiguous memory is held')
        lease.device16[lease.deviceHalf + 1] = 0x1357
        lease.release(0, 0, 1)
      })
      world.swapOut('device')
      checkEqual(world.driver.load16('device', 2), 0x1357, 'the word after reclaim')
    },
  },
  {
    suite: 'lease',
    title: 'no lease outlives its accessor',
    run(subject) {
      const world = createWorld(subject)
      const { lease } = world.accessor
      if (lease === null) return
      world.round(() => {})
      world.accessor.close()
      check(!lease.hold(), 'no hold after close')
    },
  },
]

/** Every word of an area through the lease is what the driver's process sees. */
function checkHeld(world: World, lease: RingLease, area: Area): void {
  const words = { desc: lease.desc16, driver: lease.driver16, device: lease.device16 }[area]
  const first = { desc: lease.descHalf, driver: lease.driverHalf, device: lease.deviceHalf }[area]
  const bytes = new DataView(world.driver.bytes(area).buffer)
  for (let offset = 0; offset + 2 <= bytes.byteLength; offset += 2) {
    const expected = bytes.getUint16(offset, true)
    const found = words[first + (offset >>> 1)]
    if (found !== expected) checkEqual(found, expected, about`${areaOf(area)} at byte ${offset} through the lease`)
  }
}
