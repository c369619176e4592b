import type { Finding } from '@vring/explorer'
import { describe, expect, it } from 'vitest'
import { answer } from './answer.ts'
import { entries } from './entries.ts'
import { sharedVariables, stepText } from './shared-variables.ts'

describe('the explorer of the page', () => {
  it('lists the catalogue without its functions, so that it can be sent', () => {
    const response = answer({ kind: 'list' })
    expect(response.kind === 'list' && response.entries.map(({ id }) => id)).toEqual(entries.map(({ id }) => id))
    expect(structuredClone(response)).toEqual(response)
  })

  it('finds a bug of the history where it is put back, and none in what ships', () => {
    const faulty = answer({ kind: 'explore', id: 'M16', subject: 'faulty' })
    expect(faulty).toMatchObject({ kind: 'explored', exploration: { finding: { kind: 'stale-mapping' } } })
    expect(structuredClone(faulty)).toEqual(faulty)
    const shipped = answer({ kind: 'explore', id: 'M16', subject: 'shipped' })
    expect(shipped).toMatchObject({ kind: 'explored', exploration: { finding: null, exhausted: true } })
  })

  it('says which entry it does not know', () => {
    expect(answer({ kind: 'explore', id: 'M99', subject: 'faulty' })).toEqual({
      kind: 'failed',
      message: 'the catalogue has no entry M99',
    })
  })
})

describe('shared variables', () => {
  const finding: Finding = {
    kind: 'used-lost',
    message: 'the sum is 1',
    threads: ['a', 'b'],
    memoryModel: 'sc',
    seed: null,
    schedule: [
      { thread: 0, label: 'sum', result: '0' },
      { thread: 1, label: 'lock', result: '' },
      { thread: 1, label: 'sum :=', result: '1' },
    ],
  }

  it('are as they were loaded or stored last', () => {
    expect(sharedVariables(finding, 0)).toEqual([])
    expect(sharedVariables(finding, 2)).toEqual([{ name: 'sum', value: '0', thread: 'a', stored: false, now: false }])
    expect(sharedVariables(finding, 3)).toEqual([{ name: 'sum', value: '1', thread: 'b', stored: true, now: true }])
  })

  it('steps read as loads, stores or deeds', () => {
    expect(finding.schedule.map(stepText)).toEqual(['sum → 0', 'lock', 'sum := 1'])
  })
})
