import { accessorConformance, formatKillTable, killTable } from '@vring/conformance'
import { describe, expect, it } from 'vitest'
import { vmapDirect } from './vmap-direct.ts'

const valuesOf = (name: string): readonly string[] => vmapDirect.options.find((option) => option.name === name)!.values

// Every value of every option, the others at their defaults, and the merged mapping by single accesses.
const variants: Record<string, string>[] = [
  {},
  ...['mapping', 'sync', 'hold'].flatMap((name) => valuesOf(name).map((value) => ({ [name]: value }))),
  { mapping: 'linear', hold: 'access' },
]
for (const options of variants) accessorConformance(vmapDirect, { describe, it }, { options })

describe('vmap-direct', () => {
  it('every mutant of it is killed by the case that must find it', () => {
    const kills = killTable(vmapDirect)
    expect(
      kills.filter(({ verdict }) => verdict === null),
      formatKillTable(kills),
    ).toEqual([])
  }, 240_000)
})
