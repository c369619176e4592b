import { AssertionError } from 'node:assert'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import * as accessor from '@vring/accessor'
import { catalogue, type FindingKind } from '@vring/explorer'
import { describe, expect, test } from 'vitest'
import { repositoryRoot } from '../scripts/workspace.ts'
import type { Fault } from './fault.ts'
import { CASES, readFaults, titleOf } from './faults.ts'
import { mutated } from './mutate.ts'

const faults = await readFaults()

describe('what other implementations got wrong', () => {
  test.each(faults.map(({ module, fault }) => [titleOf(fault), module, fault] as const))(
    '%s',
    (_title, _module, fault) => fault.run(),
  )

  const mutants = faults.flatMap(({ module, fault }) =>
    fault.mutants.map((mutant) => [fault.id, mutant.change, module, mutant] as const),
  )
  test.each(mutants)('%s is found when it is put back: %s', async (_id, _change, module, mutant) => {
    const fault = await mutated(module, mutant)
    expect(() => fault.run()).toThrow(AssertionError)
  })
})

describe('faults that another thread has to come in between for, in every schedule', () => {
  const raced = faults.filter(({ fault }) => typeof fault.explored === 'function')

  test("are those of the explorer's catalogue", () => {
    const ids = catalogue(accessor).map(({ id }) => id)
    for (const { fault } of faults) expect(ids.includes(fault.id), fault.id).toBe(typeof fault.explored === 'function')
    for (const { fault } of raced)
      expect(
        fault.mutants.some(({ race }) => race),
        fault.id,
      ).toBe(true)
  })

  test.each(raced.map(({ fault }) => [fault.id, fault] as const))('%s: nothing is found', (_id, fault) => {
    expect(explored(fault)).toBeNull()
  })

  const races = raced.flatMap(({ module, fault }) =>
    fault.mutants.filter(({ race }) => race).map((mutant) => [fault.id, mutant.change, module, mutant] as const),
  )
  test.each(races)('%s is found when it is put back: %s', async (_id, _change, module, mutant) => {
    expect(explored(await mutated(module, mutant))).toBe('unchecked-value')
  })
})

describe('the list of faults', () => {
  test('has every module of cases/, and each id once', () => {
    const modules = readdirSync(join(repositoryRoot, 'faults/cases')).map((file) => file.replace(/\.ts$/, ''))
    expect([...CASES].sort()).toEqual(modules.sort())
    expect(new Set(faults.map(({ fault }) => fault.id)).size).toBe(faults.length)
  })

  test('names sources that exist, and a mutant or a reason for each', () => {
    for (const { fault } of faults) {
      for (const file of [fault.here, ...fault.mutants.map((mutant) => mutant.file)])
        expect(existsSync(join(repositoryRoot, file)), file).toBe(true)
      expect(fault.mutants.length > 0 || fault.notHere !== null, fault.id).toBe(true)
    }
  })

  test('a mutant whose text is gone is an error, not a kill', async () => {
    const gone = { change: '', file: faults[0]!.fault.here, from: 'no such text', to: '' }
    await expect(mutated(faults[0]!.module, gone)).rejects.toThrow('stands there 0 times, not once')
    const elsewhere = { change: '', file: 'packages/layout/src/index.ts', from: "'./area.ts'", to: "'./area.ts'" }
    await expect(
      mutated(faults[0]!.module, { ...elsewhere, file: 'faults/mutate.ts', from: 'let made = 0', to: '' }),
    ).rejects.toThrow('is no part of')
  })
})

function explored({ explored }: Fault): FindingKind | null {
  if (typeof explored === 'string') throw new Error(explored)
  return explored()
}
