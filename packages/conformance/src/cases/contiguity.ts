import { EFAULT } from '@vring/layout'
import { createWorld } from '@vring/testkit'
import { about, accessOf } from '../about.ts'
import { type ConformanceCase, check, checkEqual } from '../conformance-case.ts'
import { expectAgreement } from './accesses.ts'

/** Pages that are neighbours in the address space and nowhere else. */
export const contiguityCases: readonly ConformanceCase[] = [
  {
    suite: 'contiguity',
    title: 'areas of several pages work on scattered frames',
    run(subject) {
      const world = createWorld(subject, { queueSize: 1024, frames: 'scattered' })
      world.fill(4)
      world.round(() => {
        const out = new Uint32Array(4)
        const table = new Uint32Array(world.driver.bytes('desc').buffer)
        for (let index = 0; index < world.ring.queueSize; index++) {
          checkEqual(world.accessor.desc.loadWords(16 * index, out, 0, 4), 0, accessOf('desc', 'loadWords'))
          for (let word = 0; word < 4; word++)
            if (out[word] !== table[4 * index + word])
              checkEqual(out[word], table[4 * index + word], `descriptor ${index}, word ${word}`)
        }
        expectAgreement(world)
      })
    },
  },
  {
    suite: 'contiguity',
    title: 'a used element that straddles two scattered pages lands in both',
    run(subject) {
      const world = createWorld(subject, { queueSize: 1024, frames: 'scattered' })
      world.round(() => {
        const elements = Uint32Array.of(0x0102_0304, 0x0506_0708, 0x090a_0b0c, 0x0d0e_0f10)
        checkEqual(world.accessor.device.storeWords(4092, elements, 0, 2), 0, accessOf('device', 'storeWords', 4092))
        checkEqual(world.driver.load32('device', 4092), 0x0102_0304, 'id, in the first page')
        checkEqual(world.driver.load32('device', 4096), 0x0506_0708, 'len, in the second page')
        checkEqual(
          world.accessor.device.storeWords(4084, elements, 0, 4),
          0,
          about`${accessOf('device', 'storeWords', 4084)} of two elements`,
        )
        checkEqual(world.driver.load32('device', 4092), 0x090a_0b0c, 'id of the second, in the first page')
        checkEqual(world.driver.load32('device', 4096), 0x0d0e_0f10, 'len of the second, in the second page')
      })
    },
  },
  {
    suite: 'contiguity',
    title: 'one batch of used elements may cross several pages',
    run(subject) {
      const world = createWorld(subject, { queueSize: 2048, frames: 'scattered' })
      const count = 1300
      const elements = Uint32Array.from({ length: 2 * count }, (_, word) => Math.imul(word + 1, 0x9e37_79b1))
      world.round(() => {
        checkEqual(
          world.accessor.device.storeWords(12, elements, 0, 2 * count),
          0,
          about`${accessOf('device', 'storeWords', 12)} of 1300 elements`,
        )
        const stored = new Uint32Array(world.driver.bytes('device').buffer, 12, 2 * count + 1)
        checkEqual([...stored], [...elements, 0], 'the words of the batch, and the next one')
      })
    },
  },
  {
    suite: 'contiguity',
    title: 'M22: an area that begins near the end of a page is mapped to its last byte',
    run(subject) {
      const world = createWorld(subject, {
        queueSize: 256,
        frames: 'scattered',
        pageOffset: { desc: 0xff0, driver: 0xffe, device: 0xffc },
      })
      world.fill(5)
      world.round(() => {
        expectAgreement(world)
        const { length } = world.ring.device
        checkEqual(
          world.accessor.device.store16(length - 2, 0x7777),
          0,
          about`${accessOf('device', 'store16')} of the last word`,
        )
        checkEqual(world.driver.load16('device', length - 2), 0x7777, 'the last word')
      })
    },
  },
  {
    suite: 'contiguity',
    title: 'a batch that runs into unmapped memory is -EFAULT',
    run(subject) {
      const world = createWorld(subject, { queueSize: 1024, frames: 'scattered' })
      world.unmap('device', 4096, 4096)
      world.round(() => {
        const elements = new Uint32Array(2048)
        checkEqual(
          world.accessor.device.storeWords(4, elements, 0, 2048),
          EFAULT,
          about`${accessOf('device', 'storeWords')} across a hole`,
        )
        check(!world.cpu.ac, 'EFLAGS.AC is clear after the fault')
        checkEqual(world.accessor.device.store16(2, 1), 0, about`${accessOf('device', 'store16')} before the hole`)
      })
    },
  },
]
