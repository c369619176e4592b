import { type Accessor, type AccessorPlugin, type Cpu, RingLease, UncheckedUser2019 } from '@vring/accessor'
import { type MemoryView, memoryView } from '@vring/memory'
import { describe, expect, it } from 'vitest'
import { bareDirect, copying } from '../test/bare-direct.ts'
import { formatSpeculation } from './format-speculation.ts'
import { speculate } from './speculate.ts'

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
