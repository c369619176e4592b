import { barrierCpu } from '@vring/accessor'
import { PagedSpace } from '@vring/memory'
import { createRegistry } from '@vring/registry'
import { describe, expect, it, vi } from 'vitest'
import { type CellSpec, cellLabel, chainCount, makeCell, parseAccessorChoice } from '../cell/cell-spec.ts'
import { InprocRig } from '../drivers/inproc.ts'
import { BaselineRig } from './baseline.ts'
import { countSteps } from './count-steps.ts'
import { Invalidator } from './invalidator.ts'
import { LAP_PACKETS } from './lap-driver.ts'
import { verifyCell } from './verify-cell.ts'

const registry = createRegistry()
const names = registry.accessors.map(({ name }) => name)

function cell(accessor: string, conditions: Partial<CellSpec> = {}): CellSpec {
  return makeCell(parseAccessorChoice(accessor, registry), registry.accessor(accessor.split(':')[0]!), conditions)
}

const shapes: Partial<CellSpec>[] = [
  {},
  { backend: 'drop' },
  { backend: 'xdp2', frameBytes: 0 },
  { queueSize: 64, chainLength: 3 },
  { queueSize: 1024, chainLength: 2, indirect: false },
  { chainLength: 4, indirect: true },
  { eventIdx: true },
  { payload: 'copy' },
  { payload: 'copy-split', frameBytes: 1518 },
  { regions: 100 },
  { fileBacked: 3 },
  { iotlbEntries: 40 },
  { batch: 256 },
  { invalidations: 50_000 },
  { ring: 'packed' },
  { ring: 'packed', inOrder: true },
  { inOrder: true },
  { ring: 'packed', queueSize: 64, chainLength: 3 },
  { ring: 'packed', chainLength: 4, indirect: true, inOrder: true },
  { ring: 'packed', queueSize: 64, chainLength: 3, inOrder: true, eventIdx: true },
  { ring: 'packed', payload: 'copy', batch: 256, iotlbEntries: 40 },
]

/** Ring format and order. */
const rings: Partial<CellSpec>[] = [{}, { inOrder: true }, { ring: 'packed' }, { ring: 'packed', inOrder: true }]

describe('one result whatever the accessor', () => {
  it.each(shapes)('%j', (shape) => {
    const states = names.map((name) => verifyCell(cell(name, shape), registry, 1))
    expect(new Set(states.map((state) => JSON.stringify(state))).size).toBe(1)
    expect(verifyCell(cell(names[0]!, shape), registry, 2).delivered).not.toBe(states[0]!.delivered)
  })

  it.each([{}, { queueSize: 64, chainLength: 3 }, { chainLength: 4, indirect: true }, { batch: 100 }])(
    'what is delivered is the same over rings of each format and order: %j',
    (shape) => {
      const states = rings.map((ring) => verifyCell(cell('copy-checked', { ...shape, ...ring }), registry, 1))
      expect(new Set(states.map(({ delivered }) => delivered)).size).toBe(1)
      expect(new Set(states.map(({ ring }) => ring)).size).toBe(rings.length)
    },
  )

  it.each(rings)('a lap leaves the same state as the floor, and as two laps do: %j', (ring) => {
    const floor = new BaselineRig(cell('copy-checked', ring), 1)
    floor.run(LAP_PACKETS)
    const expected = floor.lapState(1)
    // What an accessor has to do with the ring's format is verified above.
    for (const name of Object.keys(ring).length === 0 ? names : ['copy-checked', 'vmap-direct']) {
      const rig = new InprocRig(cell(name, ring), registry, { seed: 1 })
      rig.run(LAP_PACKETS)
      expect(rig.lapState(1)).toEqual(expected)
      rig.run(LAP_PACKETS)
      rig.run(LAP_PACKETS)
      expect(rig.lapState(2)).toEqual(expected)
      rig.close()
    }
  })

  it('a stand-in for the barrier is met as often as lfence is counted, and changes no result', () => {
    for (const name of names) {
      const barrier = vi.spyOn(barrierCpu, 'lfence')
      const rig = new InprocRig(cell(name), registry, { seed: 1, cpu: barrierCpu })
      barrier.mockClear()
      rig.run(LAP_PACKETS)
      const plain = new InprocRig(cell(name), registry, { seed: 1 })
      plain.run(LAP_PACKETS)
      expect(rig.lapState(1)).toEqual(plain.lapState(1))
      const { lfence = 0 } = countSteps(cell(name), registry, 1).metadata
      expect(barrier.mock.calls.length / LAP_PACKETS).toBeCloseTo(lfence, 1)
      barrier.mockRestore()
    }
  })

  it('a batch that does not divide a lap ends it at the same place', () => {
    const rig = new InprocRig(cell('copy-checked', { batch: 100 }), registry, { seed: 1 })
    rig.run(LAP_PACKETS)
    const other = new InprocRig(cell('copy-checked'), registry, { seed: 1 })
    other.run(LAP_PACKETS)
    expect(rig.lapState(1)).toEqual(other.lapState(1))
  })
})

describe('invalidations', () => {
  it('come at their rate and end a mapping, which the next round makes again', () => {
    const rig = new InprocRig(cell('vmap-direct', { invalidations: 20_000 }), registry, { seed: 1 })
    const started = performance.now()
    while (performance.now() - started < 50) rig.run(LAP_PACKETS)
    const direct = Object.entries(rig.accesses()).filter(([key]) => key.endsWith('.direct'))
    expect(direct).toHaveLength(3)
    rig.close()
  })

  it('tell every listener start and end', () => {
    const space = new PagedSpace({ frames: 8 })
    const told: string[] = []
    space.notifiers.register({
      name: 'test',
      invalidateRangeStart: ({ start, end }) => told.push(`start ${start} ${end}`) * 0,
      invalidateRangeEnd: () => void told.push('end'),
    })
    const invalidator = new Invalidator(space.notifiers, 0x1000, 0x2000, 1000)
    invalidator.fireIfDue()
    expect(told).toEqual([])
    // It is due after 1 ms; a busy machine may look away for longer than that.
    const until = performance.now() + 10_000
    while (invalidator.fired === 0 && performance.now() < until) invalidator.fireIfDue()
    expect(invalidator.fired).toBeGreaterThanOrEqual(1)
    expect(told.slice(0, 2)).toEqual(['start 4096 12288', 'end'])
  })
})

describe('counted steps', () => {
  it('a packet in full batches takes 2 + 3.25/64 metadata accesses: head, descriptor, and a batch of used entries', () => {
    // Per batch of 64: used elements, used.idx, avail.flags; per burst of four batches: avail.idx.
    for (const name of names) expect(countSteps(cell(name), registry, 1).accesses).toBeCloseTo(2 + 3.25 / 64, 6)
  })

  it('__get_user and __copy_from_user fence each read and none of the stores', () => {
    const { metadata, payload } = countSteps(cell('copy-checked:era=2019', { payload: 'copy-split' }), registry, 1)
    expect(metadata['stac']).toBe(metadata['clac'])
    expect(metadata['lfence']).toBeCloseTo(2 + 1.25 / 64, 6)
    // The ring's, where the head selects a descriptor; the ring of 2019 has none.
    expect(metadata['mask']).toBe(1)
    expect(payload).toMatchObject({ stac: 2, clac: 2, copyBytes: 76 })
  })

  it('copied in one piece, as Linux 6.18 does, a payload takes one pair', () => {
    const { payload } = countSteps(cell('copy-checked:era=6.18', { payload: 'copy' }), registry, 1)
    expect(payload).toMatchObject({ stac: 1, clac: 1, copyBytes: 76 })
  })
})

describe('counted steps of other chains', () => {
  it('each descriptor of a chain is an access, each of an indirect table is not', () => {
    const chain = countSteps(cell('copy-checked', { chainLength: 4 }), registry, 1)
    // 64 chains are one batch and fill this ring, so a round also looks at an empty one.
    expect(chain.accesses).toBeCloseTo(5 + 3 / 64 + 2 / 64, 6)
    const indirect = countSteps(cell('copy-checked', { chainLength: 4, indirect: true }), registry, 1)
    expect(indirect.accesses).toBeCloseTo(2 + 3 / 64 + 1 / 256, 6)
  })
})

describe('cells', () => {
  it('carry every option, and show those that were given', () => {
    const spec = cell('vmap-direct:sync=mutex')
    expect(spec.options).toMatchObject({ mapping: 'vmap', sync: 'mutex', hold: 'batch' })
    expect(cellLabel(spec.id)).toBe('vmap-direct:sync=mutex')
  })

  it('have ids that say what differs from the default', () => {
    expect(cell('copy-checked').id).toBe('copy-checked/split/inproc/xdp1/64B/q256/b64')
    expect(cell('copy-checked:era=6.18', { regions: 8 }).id).toBe(
      'copy-checked:era=6.18/split/inproc/xdp1/64B/q256/b64/regions=8',
    )
  })

  it('the default batch fits the ring', () => {
    expect(cell('copy-checked', { queueSize: 64, chainLength: 3 }).batch).toBe(16)
    expect(chainCount({ queueSize: 256, chainLength: 64, indirect: false })).toBe(4)
  })
})
