import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InflightPacked, inflightPackedBytes, type PackedDescriptor } from './inflight-packed.ts'
import { InflightSplit, inflightSplitBytes } from './inflight-split.ts'
import { queueBytes } from './session-inflight.ts'

describe('inflight, split rings', () => {
  const area = (): ArrayBuffer => new ArrayBuffer(queueBytes(8, false))

  test('vhost-user "Inflight I/O tracking": 16 bytes of header and of each entry, in steps of 64', () => {
    expect(inflightSplitBytes(128)).toBe(16 + 16 * 128)
    expect(queueBytes(128, false)).toBe(2112)
    const buffer = area()
    const inflight = new InflightSplit(buffer, 0, 8)
    inflight.take(3)
    inflight.use(3)
    const view = new DataView(buffer)
    const header = [8, 10, 12, 14].map((at) => view.getUint16(at, true))
    expect(header).toEqual([1, 8, 3, 0])
    expect([view.getUint8(16 + 48), view.getUint16(16 + 48 + 6, true)]).toEqual([1, 0])
    inflight.commit(1)
    expect([view.getUint8(16 + 48), view.getUint16(14, true)]).toEqual([0, 1])
  })

  test('what was taken and not used is found by the next device, in the order in which it was taken', () => {
    const buffer = area()
    const first = new InflightSplit(buffer, 0, 8)
    for (const head of [5, 2, 7, 0]) first.take(head)
    first.use(2)
    first.commit(1)
    expect(new InflightSplit(buffer, 0, 8).recover(1)).toEqual([5, 7, 0])
    // Taken again by the second device, it stays in its place for a third.
    const second = new InflightSplit(buffer, 0, 8)
    second.recover(1)
    second.take(2)
    expect(new InflightSplit(buffer, 0, 8).recover(1)).toEqual([5, 7, 0, 2])
  })

  test('a batch that was published before the device died is not found, one that was not is', () => {
    for (const [usedIdx, left] of [
      [2, [3]],
      [0, [1, 2, 3]],
    ] as const) {
      const buffer = area()
      const dying = new InflightSplit(buffer, 0, 8)
      for (const head of [1, 2, 3]) dying.take(head)
      dying.use(1)
      dying.use(2)
      expect(new InflightSplit(buffer, 0, 8).recover(usedIdx)).toEqual(left)
    }
  })

  test('whatever a frontend writes there, recovery ends and names entries of the ring only', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 192, maxLength: 192 }), fc.nat({ max: 0xffff }), (bytes, usedIdx) => {
        const buffer = Uint8Array.from(bytes).buffer
        const view = new DataView(buffer)
        view.setUint16(8, 1, true)
        view.setUint16(10, 8, true)
        const found = new InflightSplit(buffer, 0, 8).recover(usedIdx)
        expect(new Set(found).size).toBe(found.length)
        expect(found.every((head) => head >= 0 && head < 8)).toBe(true)
      }),
    )
  })

  test('a device that dies at any store loses nothing that was not used and repeats nothing that was', () => {
    // A script of takes and batches, cut after each of its steps: the area is what a process that died there leaves.
    type Step = {
      readonly run: (one: InflightSplit) => void
      readonly usedIdx: number
      readonly alive: readonly number[]
    }
    const steps: Step[] = [
      { run: (one) => one.take(1), usedIdx: 0, alive: [1] },
      { run: (one) => one.take(4), usedIdx: 0, alive: [1, 4] },
      { run: (one) => one.use(4), usedIdx: 0, alive: [1, 4] },
      { run: () => {}, usedIdx: 1, alive: [1] },
      { run: (one) => one.commit(1), usedIdx: 1, alive: [1] },
      { run: (one) => one.take(4), usedIdx: 1, alive: [1, 4] },
      { run: (one) => one.use(1), usedIdx: 1, alive: [1, 4] },
      { run: (one) => one.use(4), usedIdx: 1, alive: [1, 4] },
      { run: () => {}, usedIdx: 3, alive: [] },
      { run: (one) => one.commit(3), usedIdx: 3, alive: [] },
    ]
    for (let cut = 0; cut <= steps.length; cut++) {
      const buffer = area()
      const dying = new InflightSplit(buffer, 0, 8)
      for (const step of steps.slice(0, cut)) step.run(dying)
      const last = steps[cut - 1] ?? { usedIdx: 0, alive: [] }
      expect(new InflightSplit(buffer, 0, 8).recover(last.usedIdx), `cut ${cut}`).toEqual(last.alive)
    }
  })
})

test.each([
  ['split', InflightSplit],
  ['packed', InflightPacked],
] as const)('an area of another version or size is refused: %s rings', (format, Inflight) => {
  const buffer = new ArrayBuffer(queueBytes(8, format === 'packed'))
  new Inflight(buffer, 0, 8)
  expect(() => new Inflight(buffer, 0, 4)).toThrow('inflight desc_num is 8; accepted: 4')
  new DataView(buffer).setUint16(8, 2, true)
  expect(() => new Inflight(buffer, 0, 8)).toThrow('inflight version is 2')
})

test('a chain that is taken after a recovery comes after those that were found: packed rings', () => {
  const packed = new ArrayBuffer(queueBytes(8, true))
  const chain = (id: number): PackedDescriptor[] => [{ address: 64 * id, length: 64, id, flags: 0x80 }]
  const open = (): [InflightPacked, number[]] => {
    const area = new InflightPacked(packed, 0, 8)
    return [area, area.recover(() => 0).map(({ descriptors }) => descriptors[0]!.id)]
  }
  const first = new InflightPacked(packed, 0, 8)
  const done = first.take(chain(1))
  first.take(chain(2))
  first.use(done)
  first.publishing({ index: 1, wrap: 1 })
  first.commit()
  const [second, found] = open()
  // The entry of the first is free again: the new chain has it, and is the younger one all the same.
  second.take(chain(3))
  for (let id = 4; id < 9; id++) second.take(chain(id))
  second.take(chain(9))
  expect([found, open()[1]]).toEqual([[2], [2, 3, 4, 5, 6, 7, 8, 9]])
})

describe('inflight, packed rings', () => {
  const area = (): ArrayBuffer => new ArrayBuffer(queueBytes(8, true))
  const descriptor = (id: number, address = 4096 * id): PackedDescriptor => ({ address, length: 512, id, flags: 0x80 })
  const unused = (): number => 0
  const published = (): number => 0x8080

  test('vhost-user "Inflight I/O tracking": 32 bytes of header and of each entry', () => {
    expect(inflightPackedBytes(8)).toBe(32 + 32 * 8)
    const buffer = area()
    const inflight = new InflightPacked(buffer, 0, 8)
    expect(inflight.take([descriptor(6), descriptor(6, 8192)])).toBe(0)
    const view = new DataView(buffer)
    expect([8, 10, 12, 14].map((at) => view.getUint16(at, true))).toEqual([1, 8, 2, 2])
    expect([20, 21].map((at) => view.getUint8(at))).toEqual([1, 1])
    const entry = [view.getUint8(32), view.getUint16(36, true), view.getUint16(38, true), view.getUint16(48, true)]
    expect(entry).toEqual([1, 1, 2, 6])
    expect(view.getBigUint64(32 + 32 + 24, true)).toBe(8192n)
  })

  test('chains in flight are found with their descriptors, which the ring may no longer have', () => {
    const buffer = area()
    const first = new InflightPacked(buffer, 0, 8)
    const a = first.take([descriptor(1), descriptor(1, 64)])
    first.take([descriptor(2)])
    first.use(a)
    first.publishing({ index: 2, wrap: 1 })
    first.commit()
    const found = new InflightPacked(buffer, 0, 8)
    expect(found.recover(unused)).toEqual([{ entry: 2, descriptors: [descriptor(2)] }])
    expect(found.used).toEqual({ index: 2, wrap: 1 })
    expect(found.take([descriptor(3)])).toBe(0)
  })

  test('a batch that was published before the device died is finished, one that was not is undone', () => {
    for (const [flagsAt, left] of [
      [published, [2]],
      [unused, [1, 2]],
    ] as const) {
      const buffer = area()
      const dying = new InflightPacked(buffer, 0, 8)
      const a = dying.take([descriptor(1)])
      dying.take([descriptor(2)])
      dying.use(a)
      dying.publishing({ index: 1, wrap: 1 })
      const next = new InflightPacked(buffer, 0, 8)
      expect(next.recover(flagsAt).map(({ descriptors }) => descriptors[0]!.id)).toEqual(left)
      expect(next.used.index).toBe(flagsAt === published ? 1 : 0)
      // No entry is lost: the rest of the ring can be taken.
      const free = 8 - left.length
      expect(Array.from({ length: free }, (_, i) => next.take([descriptor(4 + i)])).every((entry) => entry >= 0)).toBe(
        true,
      )
      expect(next.take([descriptor(7)])).toBe(-1)
    }
  })

  test('whatever a frontend writes there, recovery and what follows it end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 320, maxLength: 320 }), fc.nat({ max: 0xffff }), (bytes, flags) => {
        const buffer = Uint8Array.from(bytes).buffer
        const view = new DataView(buffer)
        view.setUint16(8, 1, true)
        view.setUint16(10, 8, true)
        const inflight = new InflightPacked(buffer, 0, 8)
        const found = inflight.recover(() => flags)
        expect(found.every(({ entry, descriptors }) => entry < 8 && descriptors.length <= 8)).toBe(true)
        inflight.take([descriptor(1), descriptor(2)])
        for (const { entry } of found) inflight.use(entry)
        inflight.commit()
      }),
    )
  })
})
