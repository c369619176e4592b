import { CheckedUser2019, UncheckedUser2019 } from '@vring/accessor'
import { ACCESS_READ } from '@vring/memory'
import { describe, expect, it } from 'vitest'
import { bareDirect, copying } from '../test/bare-direct.ts'
import { formatSpeculation } from './format-speculation.ts'
import { HOSTILE_RINGS } from './hostile-rings.ts'
import { SPECULATION_LIMITS, speculate } from './speculate.ts'
import type { SpeculatingCpu } from './speculating-cpu.ts'

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

  it('prints what it can not say once, after all reports', () => {
    const text = formatSpeculation(speculate(bareDirect(true)), speculate(bareDirect(false), { nospec: 'none' }))
    expect(text.match(/^bare-direct/gm)).toHaveLength(2)
    for (const limit of SPECULATION_LIMITS) expect(text.split(limit)).toHaveLength(2)
    expect(text.endsWith(SPECULATION_LIMITS.at(-1)!)).toBe(true)
  })
})
