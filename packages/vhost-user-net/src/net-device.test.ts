import { copyChecked } from '@vring/accessor-copy-checked'
import { vmapDirect } from '@vring/accessor-vmap-direct'
import { EventFd } from '@vring/linux'
import { memoryView } from '@vring/memory'
import { FrameBatch, type FrameSource, LoopbackBackend } from '@vring/vhost-net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BUFFERS, closeAfterEach, GUEST, NetBench, reason } from '../test/net-bench.ts'
import { NetDevice } from './net-device.ts'

describe.skipIf(reason !== null)(`NetDevice${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let bench: NetBench
  closeAfterEach(() => bench)

  test.each([
    ['vmap-direct', vmapDirect, 'desc.direct'],
    ['copy-checked', copyChecked, 'desc.copy'],
  ])('a driver’s frames reach the program through %s', (_name, accessor, mode) => {
    bench = new NetBench({ accessor })
    const driver = bench.driver(1)
    bench.send(driver, 100)
    expect(bench.device.serveQueue(1)).toBe(100)
    expect(driver.reclaim()).toBe(100)
    expect(bench.backend.verdicts[1]).toBe(100)
    expect(bench.device.report()).toMatchObject([{ index: 1, broken: null, accesses: { [mode]: 100 } }])
  })

  test('virtio 1.3 5.1.2 even queues receive', () => {
    const batch = new FrameBatch(12, memoryView(new ArrayBuffer(4096)))
    batch.count = 1
    batch.length[0] = 12 + 64
    batch.view.u8.fill(0xab, 12, 12 + 64)
    const source: FrameSource = {
      receive: () => batch,
      consume: (count) => {
        batch.count -= count
      },
    }
    bench = new NetBench({ source: () => source })
    const driver = bench.driver(0)
    driver.addOne(GUEST + BUFFERS, 2048, true)
    driver.publish()
    expect(bench.device.serveQueue(0)).toBe(1)
    expect(driver.getUsed()).toBe(true)
    expect(driver.usedLength).toBe(12 + 64)
    expect(bench.memory.space.view.u8[BUFFERS + 12]).toBe(0xab)
  })

  test('one object may be both ends of a pair: what the driver sends comes back', () => {
    const loop = new LoopbackBackend()
    bench = new NetBench({ backend: () => loop, source: () => loop })
    const [receiver, sender] = [bench.driver(0), bench.driver(1)]
    for (let i = 0; i < 40; i++) receiver.addOne(GUEST + BUFFERS + 0x4_0000 + 2048 * i, 2048, true)
    receiver.publish()
    bench.send(sender, 64)
    // Given back within the round that takes them; what the driver has no buffers for waits.
    expect([bench.device.serveQueue(1), receiver.reclaim(), loop.waiting]).toEqual([64, 40, 24])
    expect(bench.device.serveQueue(0)).toBe(0)
    expect(bench.device.report()[0]).toMatchObject({
      delivered: { frames: 40, bytes: bench.sizes(40).reduce((sum, size) => sum + size) },
      dropped: {},
    })
    expect(bench.device.report()[1]).toMatchObject({ delivered: null, dropped: {} })
  })

  test('a source wakes the loop while the driver can take its frames, and a driver without buffers is asked to kick', () => {
    const batch = new FrameBatch(12, memoryView(new ArrayBuffer(4096)))
    batch.length[0] = 12 + 64
    const source: FrameSource & { wakeFd: number } = {
      wakeFd: 77,
      receive: () => batch,
      consume: (count) => {
        batch.count -= count
      },
    }
    bench = new NetBench({ source: () => source })
    expect(bench.device.wakeFds).toEqual([])
    const driver = bench.driver(0)
    const awake = bench.device.wakeFds
    expect(awake).toEqual([77])
    expect(bench.device.wakeFds).toBe(awake)
    batch.count = 1
    expect(bench.device.serveQueue(0)).toBe(0)
    expect(bench.device.wakeFds).toEqual([])
    expect(bench.device.armQueue(0)).toBe(false)
    driver.addOne(GUEST + BUFFERS, 2048, true)
    driver.publish()
    expect(driver.needsKick()).toBe(true)
    expect(bench.device.serveQueue(0)).toBe(1)
    expect(bench.device.wakeFds).toEqual([77])
    source.wakeFd = -1
    expect(bench.device.wakeFds).toEqual([])
  })

  test('a broken ring tells the frontend once and leaves the other queues alone', () => {
    bench = new NetBench({ queuePairs: 2 })
    const bad = bench.driver(1)
    const good = bench.driver(3)
    const error = EventFd.create()
    bench.frontend.call('SET_VRING_ERR', { index: 1, hasFd: true }, [error.fd])
    bad.windows.driver.store16(4, 999)
    bad.windows.driver.store16Release(2, 1)
    expect(bench.device.serveQueue(1)).toBe(0)
    expect(error.drain()).toBe(true)
    expect(bench.device.serveQueue(1)).toBe(0)
    expect(error.drain()).toBe(false)
    error.close()
    bench.send(good, 10)
    expect(bench.device.serveQueue(3)).toBe(10)
    expect(bench.device.report().map(({ index, broken }) => [index, broken])).toEqual([
      [1, 'head-out-of-range'],
      [3, null],
    ])
    // Set up again, it works again.
    expect(bench.frontend.stopQueue(1)).toBe(0)
    bad.windows.driver.store16Release(2, 0)
    const again = bench.driver(1)
    bench.send(again, 5)
    expect(bench.device.serveQueue(1)).toBe(5)
  })

  test('every frame that was taken is delivered, waits, or is counted under a reason', () => {
    bench = new NetBench()
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.record({ send: fc.array(fc.constantFrom(0, 1, 13, 64, 1500, 9000, 65_549, 65_600), { maxLength: 40 }) }),
            fc.record({ offer: fc.constantFrom(64, 1526, 9000) }),
            fc.record({ enable: fc.tuple(fc.constantFrom(0, 1), fc.boolean()) }),
            fc.record({ serve: fc.constantFrom(0, 1) }),
          ),
          { maxLength: 60 },
        ),
        (steps) => {
          const wire = new LoopbackBackend({ limit: 16, bytes: 1 << 17 })
          const run = new NetBench({ backend: () => wire, source: () => wire })
          const [rx, tx] = [run.driver(0), run.driver(1)]
          let sent = 0
          for (const step of steps) {
            if ('send' in step)
              for (const bytes of step.send) {
                if (tx.freeCount === 0) break
                tx.addOne(GUEST + BUFFERS, 12 + bytes, false)
                sent++
              }
            else if ('offer' in step) {
              if (rx.freeCount > 0) rx.addOne(GUEST + BUFFERS + 0x4_0000, step.offer, true)
            } else if ('enable' in step)
              run.frontend.call('SET_VRING_ENABLE', { index: step.enable[0], num: Number(step.enable[1]) })
            for (const ring of [rx, tx]) ring.publish()
            if ('serve' in step) run.device.serveQueue(step.serve)
            for (const ring of [rx, tx]) ring.reclaim()
          }
          // What the ring still holds was not taken.
          const taken = sent - (256 - tx.freeCount)
          const [received, transmitted] = run.device.report()
          const sum = (counts: Readonly<Record<string, number>>): number =>
            Object.values(counts).reduce((total, one) => total + one, 0)
          const { txFrames, txDropped } = wire.counters
          expect(txFrames + sum(transmitted!.dropped)).toBe(taken)
          expect(received!.delivered!.frames + sum(received!.dropped) + wire.waiting + sum(txDropped)).toBe(txFrames)
          run.close()
        },
      ),
      { numRuns: 60 },
    )
  })

  test('queue pairs out of range are refused with what is accepted', () => {
    bench = new NetBench()
    expect(() => new NetDevice({ accessor: vmapDirect, backend: () => bench.backend, queuePairs: 0 })).toThrow(
      'queuePairs is 0; accepted: 1 to 128',
    )
  })
})
