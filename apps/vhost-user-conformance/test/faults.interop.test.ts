import { unsupportedHost } from '@vring/linux'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CASES } from '../src/cases/index.ts'
import { judge } from '../src/judge.ts'
import { Target } from '../src/target.ts'
import { BROAD, FAULTS } from './faults.ts'
import { casesOf, casesThatFail } from './find-fault.ts'
import { ModelProcess } from './model-process.ts'

// Needs no root and no peer, and a minute: too long for the everyday tests.
const reason = unsupportedHost()

describe.skipIf(reason !== null)(`the judge itself${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let model: ModelProcess
  const found = new Set<string>()
  beforeAll(() => {
    model = new ModelProcess()
  })
  afterAll(() => model.stop())

  test.each(['net', 'blk'] as const)('finds nothing wrong with a %s back-end that is right', async (device) => {
    const target = new Target({ socket: await model.become(device, 'none'), spawn: null })
    await target.start()
    const { results } = await judge({ target, device })
    expect(results.filter(({ result }) => result === 'fail')).toEqual([])
    expect(results.filter(({ result }) => result === 'pass').length).toBeGreaterThan(320)
  })

  test.each(FAULTS)('finds a $device back-end that $does', async (fault) => {
    expect(fault.found.filter((id) => casesOf([id]).length === 0)).toEqual([])
    const results = await casesThatFail(model, fault, casesOf(fault.found))
    expect(results.filter(({ result }) => result === 'pass').map(({ id }) => id)).toEqual([])
    for (const { id, result } of results) if (result === 'fail') found.add(id)
  })

  test('has no case that can not fail', async () => {
    for (const fault of BROAD) {
      const left = CASES.filter(({ id }) => !found.has(id))
      for (const { id, result } of await casesThatFail(model, fault, left)) if (result === 'fail') found.add(id)
    }
    expect(CASES.filter(({ id }) => !found.has(id)).map(({ id }) => id)).toEqual([])
  })
})
