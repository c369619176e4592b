import { unsupportedHost } from '@vring/linux'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FAULTS } from './faults.ts'
import { casesOf, casesThatFail } from './find-fault.ts'
import { ModelProcess } from './model-process.ts'

/** A few of the faults, one of each kind: all of them are tried by the interop test. */
const SAMPLE = new Set([
  'unknown-protocol-bit',
  'status-inverted',
  'wrong-base',
  'wrong-id',
  'ignores-log-offset',
  'no-error',
])
const reason = unsupportedHost()

describe.skipIf(reason !== null)(`the judge${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let model: ModelProcess
  beforeAll(() => {
    model = new ModelProcess()
  })
  afterAll(() => model.stop())

  test.each(FAULTS.filter(({ name }) => SAMPLE.has(name)))('finds a $device back-end that $does', async (fault) => {
    const cases = casesOf(fault.found)
    const right = await casesThatFail(model, { device: fault.device, name: 'none' }, cases)
    expect(right.filter(({ result }) => result === 'fail')).toEqual([])
    const wrong = await casesThatFail(model, fault, cases)
    expect(wrong.filter(({ result }) => result === 'pass')).toEqual([])
  })
})
