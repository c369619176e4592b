import { type AccessorContext, ERAS, RecordingCpu, recordSteps } from '@vring/accessor'
import { accessorConformance, formatKillTable, killTable } from '@vring/conformance'
import { splitRingAreas } from '@vring/layout'
import { PagedSpace } from '@vring/memory'
import { speculate } from '@vring/speculation'
import { describe, expect, it } from 'vitest'
import { copyChecked } from './copy-checked.ts'
import { steps } from './steps.ts'

for (const era of ERAS) accessorConformance(copyChecked, { describe, it }, { options: { era } })

describe('copy-checked', () => {
  it.each(ERAS)('takes exactly the steps of its table in era %s', (era) => {
    const cpu = new RecordingCpu()
    const space = new PagedSpace({ frames: 8, smap: cpu })
    const page = space.mmap({ length: 4096 })
    const ring = splitRingAreas(16, true, page, page + 1024, page + 2048)
    const context: AccessorContext = { cpu, space, ring, iotlb: null }
    expect(recordSteps(copyChecked.create(context, { era }), cpu, ring)).toEqual(steps[era])
  })

  it('fences reads and nothing else in 2019; the copy lost its fence by 6.18; scalars are masked since 2025', () => {
    const fenced = (era: keyof typeof steps): string[] =>
      Object.entries(steps[era])
        .filter(([, list]) => list.includes('lfence'))
        .map(([access]) => access)
    expect(fenced('2019')).toEqual(['load16', 'load32', 'loadWords of 4'])
    expect(fenced('6.18')).toEqual(['load16', 'load32'])
    expect(fenced('2025-checked')).toEqual([])
    expect(steps['2025-checked'].load16).toContain('mask')
    expect(steps['2025-checked']['loadWords of 4']).not.toContain('mask')
  })

  it.each(ERAS)('is cleared by the speculation checker in era %s', (era) => {
    expect(speculate(copyChecked, { options: { era } })).toMatchObject({ verdict: 'clear', findings: [] })
  })

  it('every mutant of it is killed by the case that must find it', () => {
    const kills = killTable(copyChecked)
    expect(kills.length).toBeGreaterThanOrEqual(20)
    expect(
      kills.filter(({ verdict }) => verdict === null),
      formatKillTable(kills),
    ).toEqual([])
  }, 240_000)
})
