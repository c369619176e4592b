import { accessorConformance, formatKillTable, killTable } from '@vring/conformance'
import { speculate } from '@vring/speculation'
import { describe, expect, it } from 'vitest'
import { template } from './template.ts'

accessorConformance(template, { describe, it })

describe('template', () => {
  it('is cleared by the speculation checker', () => {
    expect(speculate(template)).toMatchObject({ verdict: 'clear', findings: [] })
  })

  it('every mutant of it is killed by the case that must find it', () => {
    const kills = killTable(template)
    expect(
      kills.filter(({ verdict }) => verdict === null),
      formatKillTable(kills),
    ).toEqual([])
  }, 240_000)
})
