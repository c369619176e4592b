import { AREAS, load16Batch, loadDescriptorBatch } from '@vring/accessor'
import { EFAULT, isVringError } from '@vring/layout'
import { createWorld } from '@vring/testkit'
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
            checkEqual(window.load16(offset), expected, `${area}.load16(${offset})`)
            checkEqual(window.load16Acquire(offset), expected, `${area}.load16Acquire(${offset})`)
            if (area === 'avail' || offset % 4 !== 0 || offset + 4 > world.ring[area].length) continue
            checkEqual(window.load32(offset), world.driver.load32(area, offset), `${area}.load32(${offset})`)
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
          checkEqual(world.accessor.desc.loadDescriptor(offset, out, 2), 0, `desc.loadDescriptor(${offset})`)
          const words = [0, 4, 8, 12].map((byte) => world.driver.load32('desc', offset + byte))
          const around = [0xa5a5_a5a5, 0xa5a5_a5a5]
          checkEqual([...out], [...around, ...words, ...around], `words of the descriptor at ${offset}`)
        }
      })
    },
  },
  {
    suite: 'bounds',
    title: 'a batch gives what its accesses give one by one, and stops at the first that fails',
    run(subject) {
      const world = createWorld(subject)
      world.fill(4)
      world.round(() => {
        const { avail, desc } = world.accessor
        const entries = world.ring.queueSize - 1
        const heads = new Uint16Array(entries + 2).fill(0xa5a5)
        checkEqual(load16Batch(avail, 6, heads, 1, entries), entries, `avail.load16Batch of ${entries}`)
        const expected = Array.from({ length: entries }, (_, i) => world.driver.load16('avail', 6 + 2 * i))
        checkEqual([...heads], [0xa5a5, ...expected, 0xa5a5], 'the entries of a batch')
        // Any order, one of them twice.
        const slots = Uint16Array.of(0xffff, entries, 0, 2, 0, 0xffff)
        const out = new Uint32Array(4 * slots.length).fill(0xa5a5_a5a5)
        checkEqual(loadDescriptorBatch(desc, slots, out, 1, 4), 4, 'desc.loadDescriptorBatch of 4')
        const words = [...slots].flatMap((slot) =>
          [0, 4, 8, 12].map((byte) => (slot === 0xffff ? 0xa5a5_a5a5 : world.driver.load32('desc', 16 * slot + byte))),
        )
        checkEqual([...out], words, 'the descriptors of a batch')
      })
      for (const area of ['avail', 'desc'] as const) {
        world.unmap(area)
        world.round(() => {
          const { avail, desc } = world.accessor
          const status =
            area === 'avail'
              ? load16Batch(avail, 4, new Uint16Array(2), 0, 2)
              : loadDescriptorBatch(desc, new Uint16Array(2), new Uint32Array(8), 0, 2)
          checkEqual(status, EFAULT, `a batch of the unmapped ${area} area`)
        })
        world.mapAgain(area)
      }
    },
  },
  {
    suite: 'bounds',
    title: 'plain chains loaded in one go are what the ring says, up to the first that is not plain',
    run(subject) {
      const world = createWorld(subject)
      const { driver, ring } = world
      const { queueSize } = ring
      // Every chain is plain, in another order than its descriptor, but for the last two: more than one buffer, no head.
      const fill = (flags: number): void => {
        for (let slot = 0; slot < queueSize; slot++) driver.store32('desc', 16 * slot + 12, flags)
        driver.store32('desc', 16 * ((queueSize - 2) ^ 1) + 12, flags | 1)
      }
      for (let slot = 0; slot < queueSize; slot++) {
        driver.store16('avail', 4 + 2 * slot, slot ^ 1)
        for (const [word, value] of [64 * slot, slot + 1, 100 + slot, 0].entries())
          driver.store32('desc', 16 * slot + 4 * word, value)
      }
      driver.store16('avail', 4 + 2 * (queueSize - 1), queueSize)
      const load = (flags: number, slot: number, count: number): [number, ...number[][]] => {
        const out = { flags, used: new Uint32Array(12), address: new Float64Array(6), length: new Uint32Array(6) }
        const loaded = world.accessor.loadPlain?.(slot, count, queueSize, out, 1) ?? 0
        return [
          loaded,
          [...out.used],
          [...out.address.subarray(1, 1 + loaded)],
          [...out.length.subarray(1, 1 + loaded)],
        ]
      }
      const expected = (first: number, count: number): [number, ...number[][]] => {
        const heads = Array.from({ length: count }, (_, i) => (first + i) ^ 1)
        const used = [0, 0, ...heads.flatMap((head) => [head, 0]), ...new Array(12).fill(0)].slice(0, 12)
        const addresses = heads.map((head) => (head + 1) * 2 ** 32 + 64 * head)
        return [count, used, addresses, heads.map((head) => 100 + head)]
      }
      world.round(() => {
        // An accessor may have no mapping, or nothing that loads in one go.
        fill(0)
        if (load(0, 0, 1)[0] === 0) return
        for (const flags of [0, 2]) {
          fill(flags)
          checkEqual(load(flags, 0, 3), expected(0, 3), `loadPlain(0, 3) with flags ${flags}`)
          checkEqual(load(flags, 1, 4), expected(1, 4), `loadPlain(1, 4) with flags ${flags}`)
          checkEqual(load(flags, queueSize - 4, 4), expected(queueSize - 4, 2), 'loadPlain in front of a chain of two')
          checkEqual(load(flags, queueSize - 1, 1), expected(queueSize - 1, 0), 'loadPlain of a head beyond the table')
          checkEqual(load(2 - flags, 0, 1), expected(0, 0), 'loadPlain of a buffer of the other kind')
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
        const { used } = world.accessor
        const elements = Uint32Array.of(9, 9, 0xdead_beef, 0xffff_ffff, 7, 0)
        const before = world.driver.bytes('used')
        checkEqual(used.store16(0, 0xfffe), 0, 'used.store16(0)')
        checkEqual(used.store16Release(2, 0x8001), 0, 'used.store16Release(2)')
        checkEqual(used.storeUsed(12, elements, 2, 2), 0, 'used.storeUsed(12)')
        checkEqual(used.store32(36, 0xfedc_ba98), 0, 'used.store32(36)')
        checkEqual(used.storeUsed(44, elements, 2, 1), 0, 'used.storeUsed(44)')
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
        checkEqual([...world.driver.bytes('used')], [...before], 'the used ring after five stores')
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
        for (const area of AREAS) checkEqual(world.accessor[area].load16(0), 0xfff2, `${area}.load16(0)`)
        checkEqual(world.accessor.used.load32(0), 0xffff_fff2, 'used.load32(0)')
        checkEqual(world.accessor.desc.load32(0), 0xffff_fff2, 'desc.load32(0)')
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
          checkEqual(access.run(world.accessor[area], 0), EFAULT, `${area}.${access.name} of unmapped memory`)
        })
        world.mapAgain(area)
        world.round(() => {
          check(access.run(world.accessor[area], 0) >= 0, `${area}.${access.name} works once the area is mapped again`)
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
          const last = placed.ring.used.length - 2
          checkEqual(placed.accessor.used.load16(last), EFAULT, 'used.load16 above the limit')
          checkEqual(placed.accessor.used.store16(last, 1), EFAULT, 'used.store16 above the limit')
        })
      }
    },
  },
]
