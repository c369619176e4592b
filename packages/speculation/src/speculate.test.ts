import {
  ACCESSOR_API_VERSION,
  AccessCounters,
  type Accessor,
  type AccessorContext,
  type AccessorPlugin,
  CheckedUser2019,
  CopyAccessor,
  type Cpu,
  defineAccessor,
  RingLease,
  UncheckedUser2019,
  type UserAccess,
  type Window,
} from '@vring/accessor'
import type { RingArea } from '@vring/layout'
import { ACCESS_READ, type KernelMapping, type MemoryView, memoryView } from '@vring/memory'
import { describe, expect, it } from 'vitest'
import { formatSpeculation } from './format-speculation.ts'
import { HOSTILE_RINGS } from './hostile-rings.ts'
import { SPECULATION_LIMITS, speculate } from './speculate.ts'
import type { SpeculatingCpu } from './speculating-cpu.ts'

const supports = {
  fileBacked: true,
  iotlb: false,
  noIotlb: true,
  needsMmuNotifier: false,
  needsPrefetch: false,
  speculationSafe: true,
  fallsBack: false,
}

function plugin(name: string, create: (context: AccessorContext) => Accessor): AccessorPlugin {
  return defineAccessor({ name, apiVersion: ACCESSOR_API_VERSION, description: 'of this test', supports, create })
}

function copying(name: string, user: (context: AccessorContext) => UserAccess): AccessorPlugin {
  return plugin(name, (context) => new CopyAccessor(name, context, user(context)))
}

/** The bare idea of a direct mapping: no check, no fence, and a mask if asked for. */
class BareWindow implements Window {
  readonly #cpu: Cpu
  readonly #mapping: KernelMapping
  readonly #length: number
  readonly #masked: boolean

  constructor({ cpu, space }: AccessorContext, { address, length }: RingArea, masked: boolean) {
    const mapping = space.mapKernel({ address, length, write: true, mapping: 'vmap' })
    if (typeof mapping === 'string') throw new Error(mapping)
    this.#cpu = cpu
    this.#mapping = mapping
    this.#length = length
    this.#masked = masked
  }

  load16(offset: number): number {
    return this.#cpu.load16(this.#mapping.view.u16, this.#at(offset) >>> 1)
  }

  load16Acquire(offset: number): number {
    return this.#cpu.load16Acquire(this.#mapping.view.u16, this.#at(offset) >>> 1)
  }

  load32(offset: number): number {
    return this.#cpu.load32(this.#mapping.view.u32, this.#at(offset) >>> 2)
  }

  loadWords(offset: number, out: Uint32Array, index: number, count: number): number {
    this.#cpu.loadWords(this.#mapping.view.u32, this.#at(offset) >>> 2, out, index, count)
    return 0
  }

  store16(offset: number, value: number): number {
    this.#cpu.store16(this.#mapping.view.u16, this.#at(offset) >>> 1, value)
    return 0
  }

  store16Release(offset: number, value: number): number {
    this.#cpu.store16Release(this.#mapping.view.u16, this.#at(offset) >>> 1, value)
    return 0
  }

  store32(offset: number, value: number): number {
    this.#cpu.store32(this.#mapping.view.u32, this.#at(offset) >>> 2, value)
    return 0
  }

  storeWords(offset: number, words: Uint32Array, index: number, count: number): number {
    this.#cpu.storeWords(this.#mapping.view.u32, this.#at(offset) >>> 2, words, index, count)
    return 0
  }

  #at(offset: number): number {
    return this.#mapping.base + (this.#masked ? this.#cpu.mask(offset, this.#length) : offset)
  }
}

function bareDirect(masked: boolean): AccessorPlugin {
  return plugin('bare-direct', (context) => ({
    name: 'bare-direct',
    desc: new BareWindow(context, context.ring.desc, masked),
    driver: new BareWindow(context, context.ring.driver, masked),
    device: new BareWindow(context, context.ring.device, masked),
    lease: null,
    counters: new AccessCounters(),
    beginRound: () => 'ready',
    endRound: () => {},
    close: () => {},
  }))
}

/** A checked accessor of the kind that Spectre broke: a limit check that is a branch, and nothing after it. */
class BranchOnlyUser extends UncheckedUser2019 {
  override get16Acquire(address: number): number {
    // As if the driver's avail.idx were an address: a kernel pointer that the branch refuses.
    this.#get(address + 2 ** 47)
    return super.get16Acquire(address)
  }

  #get(address: number): void {
    const { cpu, space } = this
    if (!cpu.predict(cpu.checkLimit(address, 2, space.limit))) return
    const at = cpu.translate(space, address, 2, ACCESS_READ)
    if (at >= 0) cpu.load16(space.view.u16, at >>> 1)
  }
}

describe('speculate', () => {
  it('clears accesses that a fence stops', () => {
    const report = speculate(copying('fenced', ({ cpu, space }) => new UncheckedUser2019(cpu, space)))
    expect(report.findings).toEqual([])
    expect(report.verdict).toBe('clear')
    expect(report.mispredictedPaths).toBeGreaterThan(10)
    expect(report.strayUserLoads).toBe(0)
  })

  it('clears accesses that are checked and masked, and counts the descriptor copy of 2019 that is neither', () => {
    const masked = copying('masked', ({ cpu, space }) => new CheckedUser2019(cpu, space))
    const report = speculate(masked, { nospec: 'none' })
    expect(report.verdict).toBe('clear')
    expect(report.strayUserLoads).toBeGreaterThan(0)
  })

  it('flags a direct mapping at the head and at the next of a chain, and that a secret reaches an address (M19)', () => {
    const report = speculate(bareDirect(false), { nospec: 'none' })
    expect(report.verdict).toBe('flagged')
    const found = report.findings.map(({ kind, ring, branches }) => `${kind}; ${ring}; ${branches[0]}`)
    expect(found).toEqual(
      expect.arrayContaining([
        'left-mapping; head out of range; SplitReader.loadHeads',
        'left-mapping; head just past the end of the table; SplitReader.loadHeads',
        'secret-reached-address; head out of range; SplitReader.loadHeads',
      ]),
    )
    expect(found.some((line) => line.startsWith('left-mapping; next out of range; '))).toBe(true)
    expect(report.findings.find(({ kind }) => kind === 'left-mapping')!.detail).toMatch(
      /^16-byte load at byte \d+ of the desc$/,
    )
  })

  it('clears a direct mapping under the ring that ships: it masks head and next', () => {
    expect(speculate(bareDirect(false)).findings).toEqual([])
  })

  it('clears the same mapping when its offsets are masked', () => {
    expect(speculate(bareDirect(true), { nospec: 'none' }).findings).toEqual([])
  })

  it('mispredicts the checks of a packed ring, by the names of its functions, and clears what it loads then', () => {
    const rings = HOSTILE_RINGS.filter(({ format }) => format === 'packed')
    expect(rings.length).toBeGreaterThan(3)
    const branches = new Set<string>()
    const watched = copying('watched', ({ cpu, space }) => {
      const { predict } = cpu as SpeculatingCpu
      ;(cpu as SpeculatingCpu).predict = (condition) => {
        const outcome = predict.call(cpu, condition)
        branches.add(new Error().stack!.split('\n')[2]!)
        return outcome
      }
      return new UncheckedUser2019(cpu, space)
    })
    expect(speculate(watched).verdict).toBe('clear')
    expect([...branches].join(' ')).toMatch(/PackedChainWalker\.walk/)
  })

  it('flags a limit check that is only a branch', () => {
    const report = speculate(copying('branch-only', ({ cpu, space }) => new BranchOnlyUser(cpu, space)))
    expect(new Set(report.findings.map(({ kind }) => kind))).toEqual(new Set(['left-user-space']))
  })

  it('finds nothing where nothing is mispredicted', () => {
    const report = speculate(bareDirect(false), { depth: 0, nospec: 'none' })
    expect(report).toMatchObject({ verdict: 'clear', mispredictedPaths: 0, paths: HOSTILE_RINGS.length })
  })

  it('finds nothing in a window that is shorter than the way to the load', () => {
    expect(speculate(bareDirect(false), { window: 0, nospec: 'none' }).verdict).toBe('clear')
  })

  it('prints the verdict, the path, the load, and what it can not say about hardware', () => {
    const text = formatSpeculation(speculate(bareDirect(false), { nospec: 'none' }))
    expect(text).toContain('bare-direct on the ring of 2019: flagged')
    expect(text).toContain('ring: head out of range; mispredicted: SplitReader.loadHeads')
    for (const limit of SPECULATION_LIMITS) expect(text).toContain(limit)
  })
})

describe('what the port does not see', () => {
  /** The mapping's window with a check of its own: an offset out of range becomes 0. */
  const checked = (check: (cpu: Cpu, outside: boolean) => boolean): AccessorPlugin => ({
    ...bareDirect(false),
    name: 'checked',
    create: (context) => {
      const accessor = bareDirect(false).create(context, {}) as Accessor
      for (const area of ['desc', 'driver', 'device'] as const) {
        const window = accessor[area]
        const inside = (offset: number): number =>
          check(context.cpu, offset < 0 || offset + 16 > context.ring[area].length + 14) ? 0 : offset
        for (const name of ['load16', 'load16Acquire', 'load32'] as const) {
          const load = window[name].bind(window)
          Object.assign(window, { [name]: (offset: number) => load(inside(offset)) })
        }
        const loadWords = window.loadWords.bind(window)
        window.loadWords = (offset, out, index, count) => loadWords(inside(offset), out, index, count)
      }
      return accessor
    },
  })

  it('a plain if of a plugin is not called clear: no branch of it can be mispredicted, so nothing is shown', () => {
    const report = speculate(
      checked((_, outside) => outside),
      { nospec: 'none' },
    )
    expect(report.findings).toEqual([])
    expect(report.verdict).toBe('not-shown')
    expect(speculate(checked((_, outside) => outside)).verdict).toBe('not-shown')
    expect(report.unseen.map(({ window, access }) => `${window}.${access}`)).toContain('desc.loadWords')
    expect(formatSpeculation(report)).toMatch(
      /checked on the ring of 2019: not shown[\s\S]*not shown: desc\.loadWords .*\(a plain if\?\)/,
    )
  })

  it('the same check, named, is mispredicted and flagged', () => {
    const report = speculate(
      checked((cpu, outside) => cpu.predict(outside)),
      { nospec: 'none' },
    )
    expect(report.verdict).toBe('flagged')
    expect(report.unseen).toEqual([])
  })

  it('a window that lets every offset through relies on its ring, and one that masks on nothing', () => {
    expect(speculate(bareDirect(false)).unseen).toEqual([])
    expect(speculate(bareDirect(true)).unseen).toEqual([])
  })

  /** Looks a value of the driver up in a table of its own, after a check of the value. */
  const lookingUp = (check: (cpu: Cpu, inside: boolean) => boolean): AccessorPlugin =>
    copying('looking-up', ({ cpu, space }) => {
      const table = memoryView(new ArrayBuffer(64))
      class TableUser extends UncheckedUser2019 {
        override get16Acquire(address: number): number {
          const value = super.get16Acquire(address)
          if (check(cpu, value < 32)) cpu.load16(table.u16, value)
          return value
        }
      }
      return new TableUser(cpu, space)
    })

  it('a plain if on a value of the driver is not called clear', () => {
    const report = speculate(lookingUp((_, inside) => inside))
    expect([report.verdict, report.findings]).toEqual(['not-shown', []])
    expect(report.unseen).toContainEqual(
      expect.objectContaining({ kind: 'value', window: 'driver', access: 'load16Acquire' }),
    )
    expect(formatSpeculation(report)).toMatch(/not shown: driver\.load16Acquire decides by a value that it loaded/)
  })

  it('the same check, named, is one that the checker mispredicts', () => {
    const report = speculate(lookingUp((cpu, inside) => cpu.predict(inside)))
    expect(report.unseen).toEqual([])
    expect(report.mispredictedPaths).toBeGreaterThan(
      speculate(copying('fenced', ({ cpu, space }) => new UncheckedUser2019(cpu, space))).mispredictedPaths,
    )
  })

  /** Looks at a word of the driver at one end of a round, and goes on by a check of it. */
  const hooked = (hook: 'beginRound' | 'endRound', check: (cpu: Cpu, set: boolean) => boolean): AccessorPlugin => {
    const { create, ...rest } = bareDirect(false)
    return {
      ...rest,
      create(context, options) {
        const accessor = create(context, options)
        const run = accessor[hook].bind(accessor)
        return Object.assign(accessor, {
          [hook]: () => {
            if (check(context.cpu, accessor.driver.load16(4) > 100)) accessor.desc.load32(16)
            return run()
          },
        })
      },
    }
  }

  it.each(['beginRound', 'endRound'] as const)(
    'a plain if on a value of the driver in %s is not called clear',
    (hook) => {
      const report = speculate(hooked(hook, (_, set) => set))
      expect([report.verdict, report.findings]).toEqual(['not-shown', []])
      expect(report.unseen).toContainEqual(expect.objectContaining({ kind: 'value', window: 'driver', access: hook }))
      expect(speculate(hooked(hook, (cpu, set) => cpu.predict(set))).unseen).toEqual([])
    },
  )

  it('what a window remembers and a hook decides by is seen too', () => {
    const { create, ...rest } = bareDirect(false)
    const report = speculate({
      ...rest,
      create(context, options) {
        const accessor = create(context, options)
        const { driver, desc } = accessor
        const load = driver.load16Acquire.bind(driver)
        let last = 0
        driver.load16Acquire = (offset) => {
          last = load(offset)
          return last
        }
        return Object.assign(accessor, { endRound: () => void (last > 100 && desc.load32(16)) })
      },
    })
    expect(report.unseen.map(({ access }) => access)).toEqual(['endRound'])
  })

  it('an accessor that loads nothing shows nothing', () => {
    const report = speculate(
      copying('absent', ({ cpu, space }) => {
        class AbsentUser extends UncheckedUser2019 {
          override get16(): number {
            return -14
          }
          override get16Acquire(): number {
            return -14
          }
        }
        return new AbsentUser(cpu, space)
      }),
    )
    expect(report.verdict).toBe('not-shown')
    expect(report.unseen.filter(({ kind }) => kind === 'idle').length).toBeGreaterThan(0)
  })

  it('a lease that is never held shows nothing of the loop over it', () => {
    const lazy = copying('lazy', ({ cpu, space }) => new UncheckedUser2019(cpu, space))
    const report = speculate({
      ...lazy,
      create: (context) => {
        const accessor = lazy.create(context, {})
        const holder = { hold: () => false, drop: () => {} }
        return Object.assign(accessor, { lease: new RingLease(holder, accessor.counters) })
      },
    })
    expect(report.unseen).toContainEqual(expect.objectContaining({ kind: 'idle', access: 'hold' }))
    expect(report.verdict).toBe('not-shown')
  })

  /** Loads a byte of a table of its own, at an index that a mispredicted check let through, and touches by it. */
  const tabled = (entries: number, fill: (cpu: Cpu, table: MemoryView) => void): AccessorPlugin =>
    copying('tabled', ({ cpu, space }) => {
      const table = memoryView(new ArrayBuffer(64))
      const probe = memoryView(new ArrayBuffer(1 << 18))
      fill(cpu, table)
      class TabledUser extends UncheckedUser2019 {
        override get16Acquire(address: number): number {
          const index = 20
          if (cpu.predict(index < entries)) cpu.load16(probe.u16, cpu.load16(table.u16, index))
          return super.get16Acquire(address)
        }
      }
      return new TabledUser(cpu, space)
    })

  it('a secret in a view that is not user memory reaches an address', () => {
    const report = speculate(tabled(16, () => {}))
    expect(report.findings.map(({ kind }) => kind)).toContain('secret-reached-address')
  })

  it('what the program has loaded or stored there itself is no secret', () => {
    const own = tabled(16, (cpu, table) => {
      for (let index = 0; index < 32; index++) cpu.store16(table.u16, index, 3)
    })
    expect(speculate(own).verdict).toBe('clear')
  })

  it('a load outside such a view is a finding of its own', () => {
    const far = copying('far', ({ cpu, space }) => {
      const table = memoryView(new ArrayBuffer(16))
      class FarUser extends UncheckedUser2019 {
        override get16Acquire(address: number): number {
          if (cpu.predict(false)) cpu.load16(table.u16, 16)
          return super.get16Acquire(address)
        }
      }
      return new FarUser(cpu, space)
    })
    expect(new Set(speculate(far).findings.map(({ kind }) => kind))).toEqual(new Set(['left-view']))
  })
})
