import { EFAULT, splitRingAreas } from '@vring/layout'
import { MappedSpace, memoryView } from '@vring/memory'
import { describe, expect, it } from 'vitest'
import type { Accessor, AccessorContext } from './accessor.ts'
import { CopyAccessor } from './copy-accessor.ts'
import { plainCpu } from './plain-cpu.ts'
import { type AccessDifference, shadowAccessor } from './shadow-accessor.ts'
import { type AccessTrace, traceAccessor } from './trace-accessor.ts'
import { UncheckedUser2019 } from './unchecked-user.ts'
import type { Window } from './window.ts'

const BASE = 0x10000

function setUp(): { context: AccessorContext; memory: Uint16Array } {
  const view = memoryView(new ArrayBuffer(4096))
  const space = new MappedSpace([{ address: BASE, length: 4096, view, viewOffset: 0 }])
  const ring = splitRingAreas(4, true, BASE, BASE + 256, BASE + 512)
  return { context: { cpu: plainCpu, space, ring, iotlb: null }, memory: view.u16 }
}

function copyAccessor(context: AccessorContext, name = 'copy'): CopyAccessor {
  return new CopyAccessor(name, context, new UncheckedUser2019(context.cpu, context.space))
}

describe('traceAccessor', () => {
  it('tells area, access, offset, length, mode, round and result of every access', () => {
    const { context, memory } = setUp()
    const traces: AccessTrace[] = []
    const traced = traceAccessor(copyAccessor(context), (trace) => traces.push(trace))
    memory[129] = 7
    traced.beginRound()
    expect(traced.avail.load16Acquire(2)).toBe(7)
    traced.endRound()
    traced.beginRound()
    expect(traced.used.storeUsed(4, new Uint32Array(4), 0, 2)).toBe(0)
    expect(traced.desc.load16(4096)).toBe(EFAULT)
    traced.endRound()
    const common = { mode: 'copy' }
    expect(traces).toEqual([
      { ...common, round: 1, area: 'avail', access: 'load16Acquire', offset: 2, length: 2, result: 7 },
      { ...common, round: 2, area: 'used', access: 'storeUsed', offset: 4, length: 16, result: 0 },
      { ...common, round: 2, area: 'desc', access: 'load16', offset: 4096, length: 2, result: EFAULT },
    ])
    expect(traced.counters.snapshot()).toEqual({ 'avail.copy': 1, 'desc.copy': 1, 'used.copy': 1 })
    expect(traced.name).toBe('copy')
    traced.close()
  })

  it('passes every method on', () => {
    const { context } = setUp()
    const traces: AccessTrace[] = []
    const { used, desc } = traceAccessor(copyAccessor(context), (trace) => traces.push(trace))
    const out = new Uint32Array(4)
    expect(used.store16(0, 1)).toBe(0)
    expect(used.store16Release(2, 2)).toBe(0)
    expect(used.store32(4, 3)).toBe(0)
    expect(used.load16(0)).toBe(1)
    expect(used.load32(0)).toBe(0x2_0001)
    expect(desc.loadDescriptor(0, out, 0)).toBe(0)
    expect(used.mode).toBe('copy')
    expect(traces.map(({ access }) => access)).toEqual([
      'store16',
      'store16Release',
      'store32',
      'load16',
      'load32',
      'loadDescriptor',
    ])
  })
})

describe('shadowAccessor', () => {
  it('says nothing while both agree, and counts what serves', () => {
    const { context, memory } = setUp()
    const differences: AccessDifference[] = []
    const accessor = shadowAccessor(copyAccessor(context), copyAccessor(context, 'shadow'), (d) => differences.push(d))
    expect(accessor.beginRound()).toBe('ready')
    exercise(accessor)
    accessor.endRound()
    expect(differences).toEqual([])
    expect(memory[257]).toBe(0xfff0)
    expect(accessor.counters.snapshot()).toEqual({ 'avail.copy': 2, 'desc.copy': 2, 'used.copy': 5 })
    accessor.close()
  })

  it('reports the first difference and nothing after it', () => {
    const { context, memory } = setUp()
    memory[129] = 5
    const shadow = broken(copyAccessor(context, 'shadow'), 'avail', { load16: () => 6 })
    const differences: AccessDifference[] = []
    const accessor = shadowAccessor(copyAccessor(context), shadow, (difference) => differences.push(difference))
    accessor.beginRound()
    expect(accessor.avail.load16(2)).toBe(5)
    expect(accessor.avail.load16(2)).toBe(5)
    expect(differences).toEqual([
      {
        accessor: 'copy',
        shadow: 'shadow',
        round: 1,
        area: 'avail',
        access: 'load16',
        offset: 2,
        given: [5],
        shadowGave: [6],
      },
    ])
  })

  it('finds a store that the shadow does not see', () => {
    const { context } = setUp()
    const differences: AccessDifference[] = []
    const shadow = broken(copyAccessor(context, 'shadow'), 'used', { load32: () => EFAULT })
    const accessor = shadowAccessor(copyAccessor(context), shadow, (difference) => differences.push(difference))
    accessor.used.storeUsed(4, Uint32Array.of(1, 2), 0, 1)
    expect(differences).toMatchObject([{ access: 'storeUsed', offset: 4, given: [1, 2], shadowGave: [EFAULT] }])
  })

  it('does not take a store of the driver between two loads for a difference', () => {
    const { context, memory } = setUp()
    const differences: AccessDifference[] = []
    const inner = copyAccessor(context, 'shadow')
    const racing = broken(inner, 'avail', {
      load16(offset) {
        memory[129] = (memory[129]! + 1) & 0xffff
        return inner.avail.load16(offset)
      },
    })
    const accessor = shadowAccessor(copyAccessor(context), racing, (difference) => differences.push(difference))
    accessor.avail.load16(2)
    expect(differences).toEqual([])
  })

  it('reports a round that only one can begin, and serves on', () => {
    const { context } = setUp()
    const differences: AccessDifference[] = []
    const shadow: Accessor = Object.assign(copyAccessor(context, 'shadow'), { beginRound: () => 'miss' as const })
    const accessor = shadowAccessor(copyAccessor(context), shadow, (difference) => differences.push(difference))
    expect(accessor.beginRound()).toBe('ready')
    expect(differences).toMatchObject([{ area: 'round', access: 'beginRound', given: ['ready'], shadowGave: ['miss'] }])
    expect(accessor.used.store16(2, 1)).toBe(0)
  })
})

/** Each window method once. */
function exercise({ desc, avail, used }: Accessor): void {
  used.store16(0, 0xffff)
  used.store16Release(2, 0xfff0)
  used.store32(4, 0xffff_ffff)
  used.storeUsed(12, Uint32Array.of(1, 2, 3, 4), 0, 2)
  used.load32(4)
  avail.load16(0)
  avail.load16Acquire(2)
  desc.loadDescriptor(0, new Uint32Array(4), 0)
  desc.load16(4096)
}

/** `accessor` with some methods of one window replaced. */
function broken(accessor: CopyAccessor, area: 'avail' | 'used', methods: Partial<Window>): Accessor {
  const inner = accessor[area]
  const window: Window = {
    load16: (offset) => inner.load16(offset),
    load16Acquire: (offset) => inner.load16Acquire(offset),
    load32: (offset) => inner.load32(offset),
    loadDescriptor: (offset, out, index) => inner.loadDescriptor(offset, out, index),
    store16: (offset, value) => inner.store16(offset, value),
    store16Release: (offset, value) => inner.store16Release(offset, value),
    store32: (offset, value) => inner.store32(offset, value),
    storeUsed: (offset, elements, index, count) => inner.storeUsed(offset, elements, index, count),
    ...methods,
  }
  return {
    name: accessor.name,
    desc: accessor.desc,
    avail: accessor.avail,
    used: accessor.used,
    counters: accessor.counters,
    beginRound: () => accessor.beginRound(),
    endRound: () => accessor.endRound(),
    close: () => accessor.close(),
    [area]: window,
  }
}
