import {
  type AccessorContext,
  checkedScalars2025Steps,
  ERAS,
  RecordingCpu,
  recordSteps,
  type Step,
} from '@vring/accessor'
import { accessorConformance, formatKillTable, killTable } from '@vring/conformance'
import { splitRingAreas } from '@vring/layout'
import { PagedSpace } from '@vring/memory'
import { speculate } from '@vring/speculation'
import { describe, expect, it } from 'vitest'
import { nospecMasked } from './nospec-masked.ts'
import { steps } from './steps.ts'

for (const era of ERAS) accessorConformance(nospecMasked, { describe, it }, { options: { era } })

describe('nospec-masked', () => {
  it.each(ERAS)('takes exactly the steps of its table in era %s', (era) => {
    const cpu = new RecordingCpu()
    const space = new PagedSpace({ frames: 8, smap: cpu })
    const page = space.mmap({ length: 4096 })
    const ring = splitRingAreas(16, true, page, page + 1024, page + 2048)
    const context: AccessorContext = { cpu, space, ring, iotlb: null }
    expect(recordSteps(nospecMasked.create(context, { era }), cpu, ring)).toEqual(steps[era])
  })

  it('never fences; in 2019 it masks scalar reads only and branches everywhere, in 6.18 it clamps and branches once', () => {
    for (const era of ERAS) expect(Object.values(steps[era]).flat()).not.toContain('lfence')
    const having = (era: keyof typeof steps, step: Step): string[] =>
      Object.entries(steps[era])
        .filter(([, list]) => list.includes(step))
        .map(([access]) => access)
    expect(having('2019', 'mask')).toEqual(['load16', 'load32'])
    expect(having('2019', 'predict')).toEqual(Object.keys(steps['2019']))
    expect(having('6.18', 'mask')).toEqual(['load16', 'load32', 'loadWords of 4', 'store16', 'store32'])
    expect(having('6.18', 'predict')).toEqual(['storeWords of 2', 'storeWords of 4'])
  })

  it('is copy-checked since its scalars were merged there: the masked form won', () => {
    expect(steps['2025-checked']).toBe(checkedScalars2025Steps)
  })

  it.each(ERAS)('is cleared by the speculation checker in era %s', (era) => {
    expect(speculate(nospecMasked, { options: { era } })).toMatchObject({ verdict: 'clear', findings: [] })
  })

  it('every mutant of it is killed by the case that must find it', () => {
    const kills = killTable(nospecMasked)
    expect(kills.length).toBeGreaterThanOrEqual(20)
    expect(
      kills.filter(({ verdict }) => verdict === null),
      formatKillTable(kills),
    ).toEqual([])
  }, 240_000)
})
