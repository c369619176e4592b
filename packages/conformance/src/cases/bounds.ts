import { AREAS, EFAULT, isVringError } from '@vring/layout'
import { createWorld } from '@vring/testkit'
import { about, accessOf } from '../about.ts'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'
import { forEachAccess } from './accesses.ts'

/** Where memory is and where it ends. */
export const boundsCases: readonly ConformanceCase[] = [
  {
    suite: 'bounds',
    title: 'loads give what the driver stored, in the whole of each area',
    run(subject) {
      const world = createWorld(subject)
      world.fill(1)
      world.round(() => {
        for (const area of AREAS) {
          const window = world.accessor[area]
          for (let offset = 0; offset + 2 <= world.ring[area].length; offset += 2) {
            const expected = world.driver.load16(area, offset)
            checkEqual(window.load16(offset), expected, accessOf(area, 'load16', offset))
            checkEqual(window.load16Acquire(offset), expected, accessOf(area, 'load16Acquire', offset))
            if (area === 'driver' || offset % 4 !== 0 || offset + 4 > world.ring[area].length) continue
            checkEqual(window.load32(offset), world.driver.load32(area, offset), accessOf(area, 'load32', offset))
          }
        }
      })
    },
  },
  {
    suite: 'bounds',
    title: 'descriptors arrive whole, at the index of the output asked for',
    run(subject) {
      const world = createWorld(subject)
      world.fill(2)
      world.round(() => {
        for (let offset = 0; offset < world.ring.desc.length; offset += 16) {
          const out = new Uint32Array(8).fill(0xa5a5_a5a5)
          checkEqual(world.accessor.desc.loadWords(offset, out, 2, 4), 0, accessOf('desc', 'loadWords', offset))
          const words = [0, 4, 8, 12].map((byte) => world.driver.load32('desc', offset + byte))
          const around = [0xa5a5_a5a5, 0xa5a5_a5a5]
          checkEqual([...out], [...around, ...words, ...around], `words of the descriptor at ${offset}`)
        }
      })
    },
  },
  {
    suite: 'bounds',
    title: 'stores reach the driver and leave their neighbours alone',
    run(subject) {
      const world = createWorld(subject)
      world.fill(3)
      world.round(() => {
        const { device } = world.accessor
        const elements = Uint32Array.of(9, 9, 0xdead_beef, 0xffff_ffff, 7, 0)
        const before = world.driver.bytes('device')
        checkEqual(device.store16(0, 0xfffe), 0, accessOf('device', 'store16', 0))
        checkEqual(device.store16Release(2, 0x8001), 0, accessOf('device', 'store16Release', 2))
        checkEqual(device.storeWords(12, elements, 2, 4), 0, accessOf('device', 'storeWords', 12))
        checkEqual(device.store32(36, 0xfedc_ba98), 0, accessOf('device', 'store32', 36))
        checkEqual(device.storeWords(44, elements, 2, 2), 0, accessOf('device', 'storeWords', 44))
        const expected = new DataView(before.buffer)
        expected.setUint16(0, 0xfffe, true)
        expected.setUint16(2, 0x8001, true)
        for (const [offset, value] of [
          [12, 0xdead_beef],
          [16, 0xffff_ffff],
          [20, 7],
          [24, 0],
          [36, 0xfedc_ba98],
          [44, 0xdead_beef],
          [48, 0xffff_ffff],
        ] as const)
          expected.setUint32(offset, value, true)
        checkEqual([...world.driver.bytes('device')], [...before], 'the used ring after five stores')
      })
    },
  },
  {
    suite: 'bounds',
    title: 'values with the top bit set are values, not errors',
    run(subject) {
      const world = createWorld(subject)
      for (const area of AREAS) {
        world.driver.store16(area, 0, 0xfff2)
        world.driver.store16(area, 2, 0xffff)
      }
      world.round(() => {
        for (const area of AREAS) checkEqual(world.accessor[area].load16(0), 0xfff2, accessOf(area, 'load16', 0))
        checkEqual(world.accessor.device.load32(0), 0xffff_fff2, accessOf('device', 'load32', 0))
        checkEqual(world.accessor.desc.load32(0), 0xffff_fff2, accessOf('desc', 'load32', 0))
      })
    },
  },
  {
    suite: 'bounds',
    title: 'an unmapped area is -EFAULT for every access, until it is mapped again',
    run(subject) {
      const world = createWorld(subject)
      forEachAccess((access, area) => {
        world.unmap(area)
        world.round(() => {
          checkEqual(
            access.run(world.accessor[area], 0),
            EFAULT,
            about`${accessOf(area, access.name)} of unmapped memory`,
          )
        })
        world.mapAgain(area)
        world.round(() => {
          check(
            access.run(world.accessor[area], 0) >= 0,
            about`${accessOf(area, access.name)} works once the area is mapped again`,
          )
        })
      })
    },
  },
  {
    suite: 'bounds',
    title: 'an area that ends above the limit of user space is refused or -EFAULT',
    run(subject) {
      for (const beyond of [2, 4096, 2 ** 46, 2 ** 53 - 2 ** 48]) {
        let world: ReturnType<typeof createWorld>
        try {
          world = createWorld(subject, { aboveLimit: beyond })
        } catch (error) {
          check(
            isVringError(error) && error.code === 'ERR_OUT_OF_RANGE',
            `create refuses an area above the limit with ERR_OUT_OF_RANGE, not with ${String(error)}`,
          )
          continue
        }
        const placed = world
        placed.round(() => {
          const last = placed.ring.device.length - 2
          checkEqual(
            placed.accessor.device.load16(last),
            EFAULT,
            about`${accessOf('device', 'load16')} above the limit`,
          )
          checkEqual(
            placed.accessor.device.store16(last, 1),
            EFAULT,
            about`${accessOf('device', 'store16')} above the limit`,
          )
        })
        // What lies there is the kernel's: an unchecked access finds it, whatever the page tables of the process say.
        // Under a device IOTLB addresses are checked when it is updated.
        if (placed.iotlb !== null) continue
        const { limit } = placed.space
        const [walk] = placed.cpu.recorded.filter(({ step, at, length }) => step === 'walk' && length > limit - at)
        check(walk === undefined, `an address above the limit is accessed without a check: ${walk?.at}`)
      }
    },
  },
]
