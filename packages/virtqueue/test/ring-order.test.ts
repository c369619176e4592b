import { describe, expect, it } from 'vitest'
import { type FlatQueueOptions, WAYS } from './flat-queue.ts'
import { addEveryKind, columns, FORMATS, type WatchedQueue, watchedQueue } from './watched-queue.ts'

describe.each(FORMATS)('%s', (format) => {
  describe.each(WAYS)('by %s', (way) => {
    const queue = (options: FlatQueueOptions = {}): WatchedQueue =>
      watchedQueue({ way, format, queueSize: 16, ...options })
    const split = format === 'split'

    it('what makes chains available is loaded before the chains, with acquire or a read barrier, and nothing else is ordered', () => {
      const q = queue()
      for (let i = 0; i < 3; i++) q.driver.addOne(q.heap, 60, false)
      q.driver.publish()
      q.cpu.reset()
      expect(q.device.popBatch(q.batch, 64)).toBe(3)
      const traffic = q.traffic()
      const ordered = traffic.filter((one) => one.endsWith('ordered'))
      if (split) {
        expect(ordered).toEqual(['load driver+2 ordered'])
        expect(traffic[0]).toBe('load driver+2 ordered')
      } else if (way === 'lease') {
        // Flags up to the first that are not available, a read barrier, then everything else.
        const flags = [0, 1, 2, 3].map((slot) => `load desc+${16 * slot + 14}`)
        expect(traffic.slice(0, 5)).toEqual([...flags, 'rmb'])
        expect(traffic.slice(5).every((one) => /^load desc\+\d+$/.test(one) && !flags.includes(one))).toBe(true)
        expect(ordered).toEqual([])
      } else {
        // The flags of each descriptor come first of it.
        for (let slot = 0; slot < 3; slot++) {
          const ofSlot = traffic.filter((one) => Math.floor(Number(/\+(\d+)/.exec(one)![1]) / 16) === slot)
          expect(ofSlot[0]).toBe(`load desc+${16 * slot + 14} ordered`)
          expect(ofSlot.filter((one) => one.endsWith('ordered'))).toHaveLength(1)
        }
      }
    })

    it('what publishes used chains is a release, after all that it publishes', () => {
      const q = queue()
      for (let i = 0; i < 3; i++) q.driver.addOne(q.heap, 60, false)
      q.driver.publish()
      q.device.popBatch(q.batch, 64)
      q.cpu.reset()
      expect(q.device.useBatch(q.batch, 3)).toBe(0)
      const traffic = q.traffic()
      const first = split ? 'store device+2 ordered' : 'store desc+14 ordered'
      expect(traffic.at(-1)).toBe(first)
      expect(traffic.filter((one) => one.endsWith('ordered'))).toEqual([first])
      if (split) expect(traffic.slice(0, -1)).toEqual([4, 12, 20].map((at) => `store device+${at}`))
      // Nothing was written: lengths mean nothing, and an id comes in one word with its flags. VirtIO 1.3 section 2.8.4.
      else expect(traffic.slice(0, -1)).toEqual([12, 28, 44].map((at) => `store desc+${at}`))
    })

    it.each([
      ['chains that were written', 7],
      ['writable chains that were not', 0],
    ])('lengths of %s are stored before flags', (_name, written) => {
      const q = queue({ kind: 'writable' })
      for (let i = 0; i < 3; i++) q.driver.addOne(q.heap, 60, true)
      q.driver.publish()
      q.device.popBatch(q.batch, 64)
      for (let i = 0; written > 0 && i < 3; i++) q.device.push(q.batch, i, written)
      q.cpu.reset()
      expect(written > 0 ? q.device.flush() : q.device.useBatch(q.batch, 3)).toBe(0)
      const stores = (offsets: number[]): string[] => offsets.map((at) => `store ${split ? 'device' : 'desc'}+${at}`)
      // VirtIO 1.3 section 2.8.6: ids and flags of all but the first in one word each, the first's flags last.
      if (split) expect(q.traffic()).toEqual([...stores([4, 12, 20]), 'store device+2 ordered'])
      else
        expect(q.traffic()).toEqual([...stores([12, 8, 24, 40]), 'wmb', ...stores([28, 44]), 'store desc+14 ordered'])
    })

    it('a full barrier stands between publishing and the look at what the driver asked for', () => {
      const q = queue()
      const use = (): void => {
        q.driver.addOne(q.heap, 60, false)
        q.driver.publish()
        q.device.popBatch(q.batch, 64)
        q.device.useBatch(q.batch, 1)
      }
      use()
      q.device.needsNotification()
      use()
      q.cpu.reset()
      q.device.needsNotification()
      expect(q.traffic()).toEqual(['mb', split ? `load driver+${4 + 2 * 16}` : 'load driver+0'])
    })

    it('a full barrier stands between asking for notification and the second look, which is an acquire', () => {
      const q = queue()
      q.cpu.reset()
      expect(q.device.enableNotification()).toBe(0)
      expect(q.traffic()).toEqual(
        split
          ? [`store device+${4 + 8 * 16}`, 'mb', 'load driver+2 ordered']
          : ['store device+0', 'mb', 'load desc+14 ordered'],
      )
    })

    it('what was given back is no more than was seen; what the driver adds is, also after a second look', () => {
      const q = queue()
      expect(q.device.hasMore()).toBe(0)
      q.driver.addOne(q.heap, 60, false)
      q.driver.publish()
      expect(q.device.hasMore()).toBe(1)
      expect(q.device.popBatch(q.batch, 64)).toBe(1)
      q.device.rewind(q.batch, 1)
      expect(q.device.hasMore()).toBe(0)
      q.driver.addOne(q.heap, 60, false)
      q.driver.publish()
      expect([q.device.enableNotification(), q.device.hasMore()]).toEqual([1, 1])
      expect([q.device.popBatch(q.batch, 64), q.device.hasMore()]).toEqual([2, 0])
    })

    it('a driver that changes every word once it was loaded changes nothing: each is used from one fetch', () => {
      // Of a chain that the loop over a lease stops at nothing is kept: it is fetched again, by windows.
      const chains = way === 'lease' ? 2 : 5
      const steady = queue()
      addEveryKind(steady)
      expect(steady.device.popBatch(steady.batch, chains)).toBe(chains)
      const q = queue()
      addEveryKind(q)
      const { u8 } = q.space.view
      q.cpu.onLoad = (_, at, length) => {
        for (let byte = at; byte < at + length; byte++) u8[byte]! ^= 0xff
      }
      expect(q.device.popBatch(q.batch, chains)).toBe(chains)
      expect(columns(q.batch)).toEqual(columns(steady.batch))
    })

    it('every store is in memory before it is in the migration log, and no log is kept inside a hold', () => {
      let q: WatchedQueue | null = null
      const atLog: number[] = []
      const stores = (): number => q!.traffic().filter((one) => one.startsWith('store')).length
      const logged = (): void => {
        expect(q!.space.held).toBe(false)
        atLog.push(stores())
      }
      q = queue({ features: 0n, device: { log: { write: logged } } })
      q.driver.addOne(q.heap, 60, false)
      q.driver.publish()
      q.device.popBatch(q.batch, 64)
      q.cpu.reset()
      q.device.useBatch(q.batch, 1)
      const published = stores()
      q.device.disableNotification()
      q.device.enableNotification()
      expect(published).toBeGreaterThanOrEqual(2)
      expect(atLog).toEqual([...(split ? [published] : []), published, published + 1, published + 2])
    })
  })
})
