import { createRegistry } from '@vring/registry'
import { describe, expect, it } from 'vitest'
import { madeResults } from '../../test/made-results.ts'
import { slicedCell } from '../../test/made-slices.ts'
import { type CellSpec, makeCell, parseAccessorChoice } from '../cell/cell-spec.ts'
import { linesTable } from '../report/report-lines.ts'
import { countLines, type LineConditions, movedLines, type PacketLines, TESTPMD_LINES } from './count-lines.ts'
import { DEVICE, DRIVER, LineCache } from './line-cache.ts'
import { flatLines, linePredictions } from './lines-result.ts'
import { fitLineProfile, predictMpps } from './predict-lines.ts'

const registry = createRegistry()

function count(accessor: string, conditions: Partial<LineConditions> = {}, more: Partial<CellSpec> = {}): PacketLines {
  const spec = makeCell(parseAccessorChoice(accessor, registry), registry.accessor(accessor), more)
  return countLines(spec, registry, { ...TESTPMD_LINES, ...conditions })!
}

describe('a line between two caches', () => {
  it('moves to who has it not, and is an upgrade for who has it with the other and writes', () => {
    const cache = new LineCache(256)
    const { desc } = cache.moves
    cache.touch(DRIVER, 'desc', 0, 16, true)
    expect(desc).toEqual({ toDevice: 0, toDriver: 0, upgrades: 0 })
    cache.touch(DEVICE, 'desc', 16, 16, false)
    cache.touch(DEVICE, 'desc', 32, 16, false)
    expect(desc).toEqual({ toDevice: 1, toDriver: 0, upgrades: 0 })
    cache.touch(DRIVER, 'desc', 0, 16, false)
    cache.touch(DRIVER, 'desc', 0, 16, true)
    cache.touch(DRIVER, 'desc', 0, 16, true)
    expect(desc).toEqual({ toDevice: 1, toDriver: 0, upgrades: 1 })
    cache.touch(DEVICE, 'desc', 60, 8, true)
    cache.touch(DRIVER, 'desc', 0, 1, false)
    expect(desc).toEqual({ toDevice: 2, toDriver: 1, upgrades: 1 })
  })
})

describe('lines that move per packet', () => {
  it('a batch of 32 shares its lines: four descriptors each, indices once a batch, and the frame’s own', () => {
    const { desc, driver, device, header, frame } = count('vmap-direct')
    expect(desc.toDevice).toBeCloseTo(1 / 4, 9)
    expect(frame.toDevice).toBe(1)
    // In place, only the driver looks at the header.
    expect(header).toEqual({ toDevice: 0, toDriver: 0, upgrades: 0 })
    // 32 entries of two bytes are a line, beside that of avail.idx; used.idx comes back, its entries are what they were.
    expect(driver.toDevice).toBeGreaterThanOrEqual(2 / 32)
    expect(driver.toDevice).toBeLessThanOrEqual(3 / 32)
    expect(device.toDriver).toBeCloseTo(1 / 32, 9)
  })

  it('a packed ring has one area that both write: four descriptors a line, there and back, and no index', () => {
    const { desc, driver, device, frame } = count('vmap-direct', {}, { ring: 'packed' })
    expect(desc.toDevice).toBeCloseTo(1 / 4, 9)
    expect(desc.toDriver).toBeCloseTo(1 / 4, 9)
    expect([driver.toDevice, driver.toDriver, device.toDriver, device.toDevice]).toEqual([0, 0, 0, 0])
    expect(frame.toDevice).toBe(1)
    expect(movedLines(count('vmap-direct', {}, { ring: 'packed', payload: 'copy' }))).toBeGreaterThan(1)
  })

  it.each(['split', 'packed'] as const)('in order, a batch of a %s ring is given back by one element', (ring) => {
    const [each, inOrder] = [false, true].map((order) => count('vmap-direct', {}, { ring, inOrder: order }))
    expect(movedLines(inOrder!)).toBeLessThanOrEqual(movedLines(each!))
  })

  it('a copy moves the frame; the header that is not written again stays with both; a backend that reads nothing moves neither', () => {
    const copied = count('copy-checked', {}, { payload: 'copy' })
    expect([copied.header.toDevice, copied.frame.toDevice]).toEqual([0, 1])
    const dropped = count('vmap-direct', {}, { backend: 'drop' })
    expect([dropped.header.toDevice, dropped.frame.toDevice]).toEqual([0, 0])
  })

  it('smaller batches move more of them, and so do chains that come back in no order', () => {
    const [one, some, many] = [1, 32, 64].map((batch) => movedLines(count('vmap-direct', { batch })))
    expect(one).toBeGreaterThan(2 * some!)
    expect(some).toBeGreaterThan(many!)
    const scattered = count('vmap-direct', { recycling: 'scattered' })
    expect(scattered.desc.toDevice).toBeGreaterThan(0.5)
    expect(scattered.device.toDriver).toBeGreaterThan(count('vmap-direct').device.toDriver)
    // A stack gives a batch back from its end: the same lines.
    expect(movedLines(count('vmap-direct', { recycling: 'lifo' }))).toBeCloseTo(movedLines(count('vmap-direct')), 1)
  })

  it('a driver that writes its descriptors once moves none of them', () => {
    const { desc, frame } = count('vmap-direct', { rewrites: false })
    expect([desc.toDevice, frame.toDevice]).toEqual([0, 0])
  })

  it('do not depend on the accessor: each reaches the same bytes', () => {
    const [first, ...others] = registry.accessors.map(({ name }) => count(name))
    for (const other of others) expect(other).toEqual(first)
  })

  it('are not counted where no port sees who reads the frames', () => {
    const spec = makeCell({ name: 'vmap-direct', options: {} }, registry.accessor('vmap-direct'), { backend: 'xdp1' })
    expect(countLines({ ...spec, backend: 'tap' }, registry, TESTPMD_LINES)).toBeNull()
    expect(countLines({ ...spec, chainLength: 2 }, registry, TESTPMD_LINES)).toBeNull()
  })
})

describe('rates that lines predict', () => {
  it('compute and overlap come out of two classes, and from one of them nothing does', () => {
    const point = (place: 'near' | 'far', roundTripNs: number) => {
      return { class: place, roundTripNs, nsPerPacket: 40 + (2.5 * roundTripNs) / 2 / 4 }
    }
    const profile = fitLineProfile([point('near', 57), point('far', 350)], 2.5)!
    expect(profile.computeNs).toBeCloseTo(40, 9)
    expect(profile.overlap).toBeCloseTo(4, 9)
    expect(predictMpps(profile, 2.5, 130)).toBeCloseTo(1000 / (40 + (2.5 * 65) / 4), 9)
    expect(fitLineProfile([point('near', 57)], 2.5)).toBeNull()
    expect(fitLineProfile([point('far', 57), { ...point('near', 350), nsPerPacket: 40 }], 2.5)).toBeNull()
    const [quick, slow] = [26.9, 6.14].map((mpps) => 1000 / mpps) as [number, number]
    expect(
      fitLineProfile(
        [
          { ...point('near', 90), nsPerPacket: quick },
          { ...point('far', 280), nsPerPacket: slow },
        ],
        1.5,
      ),
    ).toBeNull()
  })

  it('the second cell’s far rate is predicted from its near one and the first cell’s overlap', () => {
    const lines = flatLines(count('vmap-direct'))
    const cells = [
      { ...slicedCell('copy-checked', { near: 18, between: 14, far: 5 }), lines },
      { ...slicedCell('vmap-direct', { near: 19, far: 5.1 }), lines },
    ]
    const [first, second] = linePredictions(madeResults(cells))
    expect([first!.by, second!.by]).toEqual(['fitted', 'predicted'])
    const far = first!.rates.find((rate) => rate.class === 'far')!
    expect(far.predicted).toBeCloseTo(far.measured, 9)
    expect(first!.rates.find((rate) => rate.class === 'between')!.predicted).not.toBeNull()
    const other = second!.rates.find((rate) => rate.class === 'far')!
    expect(other.predicted).toBeGreaterThan(5)
    expect(other.predicted).toBeLessThan(5.3)
    expect(linesTable(madeResults(cells)).rows.map((row) => row[0])).toEqual([
      'copy-checked (fitted)',
      'vmap-direct (predicted)',
    ])
  })

  it('with one class there are lines and no prediction', () => {
    const cell = { ...slicedCell('copy-checked', { near: 18 }), lines: flatLines(count('vmap-direct')) }
    expect(linePredictions(madeResults([cell]))).toMatchObject([{ profile: null, by: null }])
    expect(linesTable(madeResults([cell])).rows[0]!.at(-3)).toMatch(/^–, /)
  })
})
