import * as direct from '@vring/accessor'
import { directSteps } from '@vring/accessor-vmap-direct'
import { SYNC_NAMES } from '@vring/mmu-notifier'
import { describe, expect, it, vi } from 'vitest'
import { explore } from '../explore.ts'
import { formatTimeline } from '../format-timeline.ts'
import { catalogue as catalogueOf } from './catalogue.ts'
import { limitsOf } from './catalogue-entry.ts'

// Exhaustive searches: seconds each, more on a machine that does something else too.
vi.setConfig({ testTimeout: 120_000 })

const catalogue = catalogueOf(direct)
/** Entries that are about registering alone, or about memory that can't be mapped, or is not while the threads run. */
const NO_MAPPING: ReadonlySet<string> = new Set(
  ['M1', 'M2', 'M3', 'M8', 'M12', 'M13', 'M17'].concat(['fix 2', 'fix 4', 'fix 6', 'fix 7']),
)

describe.each(catalogue)('$id $title', (entry) => {
  const { id, scenario, repaired, expected, preemptions, repairedBy, variant } = entry
  const extent = preemptions === undefined ? 'every schedule' : `every schedule of ${preemptions} preemptions`

  it(`is found in ${variant}: ${expected}`, () => {
    const { finding, exhausted } = explore(scenario, limitsOf(entry))
    if (finding === null) throw new Error('no finding')
    console.log(formatTimeline(finding))
    expect(finding.kind).toBe(expected)
    expect(exhausted).toBe(false)
  })

  it(`is not in ${repairedBy}: ${extent}, no finding`, () => {
    const { finding, exhausted, accesses } = explore(repaired, limitsOf(entry))
    expect(finding === null ? '' : formatTimeline(finding)).toBe('')
    expect(exhausted).toBe(true)
    // What the ring is never reached by, nothing is shown of: by a mapping, but where there can be none.
    if (!NO_MAPPING.has(id)) expect(accesses.mapped, 'accesses through a mapping').toBeGreaterThan(0)
  })
})

describe('the catalogue', () => {
  it('has every hazard of the history but M19, and every fix', () => {
    const ids = catalogue.map(({ id }) => id)
    for (let hazard = 1; hazard <= 26; hazard++) if (hazard !== 19) expect(ids).toContain(`M${hazard}`)
    for (let fix = 1; fix <= 9; fix++) expect(ids).toContain(`fix ${fix}`)
  })

  it('M16 needs a memory model: it is not there under sequential consistency', () => {
    const { scenario } = catalogue.find(({ id }) => id === 'M16')!
    expect(explore(scenario, { memoryModel: 'sc' })).toMatchObject({ finding: null, exhausted: true })
  })

  it('22e1992cf7b0 and df9ace7647d4 need more than x86 does', () => {
    for (const id of ['22e1992cf7b0', 'df9ace7647d4']) {
      const { scenario } = catalogue.find((entry) => entry.id === id)!
      expect(explore(scenario, { memoryModel: 'tso' }), id).toMatchObject({ finding: null, exhausted: true })
    }
  })

  it('M19 is not a race: an access has no speculation barrier and no mask; the ring masks what becomes an index', () => {
    for (const sync of SYNC_NAMES) {
      expect(directSteps(sync).load16).not.toContain('lfence')
      expect(directSteps(sync).load16).not.toContain('mask')
    }
  })
})
