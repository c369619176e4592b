import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { closeFd } from '../descriptors/fd.ts'
import { Mapping } from '../memory/mapping.ts'
import { createMemfd } from '../memory/memfd.ts'
import { XdpConsumerRing, XdpProducerRing } from './xdp-ring.ts'

const SIZE = 8
const OFFSETS = { producer: 0, consumer: 64, flags: 128, desc: 192 }

/** Both sides of one ring, as the kernel and a socket see it: two mappings of one file. */
function ringPair(entryBytes: 8 | 16): {
  producer: XdpProducerRing
  consumer: XdpConsumerRing
  flags: Uint32Array
  unmap: () => void
} {
  const fd = createMemfd('vring-xdp-ring', 4096)
  const [a, b] = [Mapping.of(fd, { length: 4096 }), Mapping.of(fd, { length: 4096 })]
  closeFd(fd)
  return {
    producer: new XdpProducerRing(a.buffer, OFFSETS, SIZE, entryBytes),
    consumer: new XdpConsumerRing(b.buffer, OFFSETS, SIZE, entryBytes),
    flags: new Uint32Array(b.buffer, OFFSETS.flags, 1),
    unmap: () => {
      a.unmap()
      b.unmap()
    },
  }
}

describe.each<8 | 16>([8, 16])('a ring with entries of %i bytes', (entryBytes) => {
  test('carries what is published to the other side, in order, and never more than its size', () => {
    const { producer, consumer, unmap } = ringPair(entryBytes)
    const words = entryBytes / 4
    const model: number[] = []
    let next = 1
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -SIZE, max: SIZE }), { maxLength: 40 }), (steps) => {
        for (const step of steps) {
          if (step >= 0) {
            const count = Math.min(step, producer.free())
            for (let i = 0; i < count; i++) {
              for (let word = 0; word < words; word++) producer.words[producer.at(i) + word] = next + word
              model.push(next)
              next += words
            }
            producer.publish(count)
          } else {
            const count = Math.min(-step, consumer.available())
            for (let i = 0; i < count; i++) {
              const at = consumer.at(i)
              const first = model.shift()!
              expect([...consumer.words.subarray(at, at + words)]).toEqual(
                Array.from({ length: words }, (_, word) => first + word),
              )
            }
            consumer.release(count)
          }
          expect(consumer.available()).toBe(model.length)
          expect(producer.pending()).toBe(model.length)
          expect(producer.free()).toBe(SIZE - model.length)
        }
      }),
      { numRuns: 100 },
    )
    unmap()
  })

  test('one side goes on where another thread has left it', () => {
    const { producer, consumer, flags, unmap } = ringPair(entryBytes)
    const [later, other] = [
      new XdpProducerRing(flags.buffer as ArrayBuffer, OFFSETS, SIZE, entryBytes),
      new XdpConsumerRing(flags.buffer as ArrayBuffer, OFFSETS, SIZE, entryBytes),
    ]
    for (let turn = 0; turn < 20; turn++) {
      const [to, from] = turn % 2 === 0 ? [producer, other] : [later, consumer]
      to.follow()
      from.follow()
      to.words[to.at(0)] = turn
      to.publish(1)
      expect(from.available()).toBe(1)
      expect(from.words[from.at(0)]).toBe(turn)
      from.release(1)
    }
    unmap()
  })

  test('tells when the other side asks to be woken', () => {
    const { producer, consumer, flags, unmap } = ringPair(entryBytes)
    expect([producer.needsWakeup, consumer.needsWakeup]).toEqual([false, false])
    flags[0] = 1
    expect([producer.needsWakeup, consumer.needsWakeup]).toEqual([true, true])
    producer.close()
    expect(producer.words.length).toBe(0)
    unmap()
  })
})
