import * as parts from '@vring/accessor'
import { describe, expect, it } from 'vitest'
import { explore } from './explore.ts'
import * as scenarios from './scenarios/index.ts'

describe('rings of both formats, explored', () => {
  const options = { parts, sync: 'mutex' } as const

  it.each([
    ['poll', scenarios.packedPublishDuringPoll],
    ['enable', scenarios.packedPublishDuringEnable],
  ])('without acquire a packed descriptor is read before its flags: publish during %s', (_name, make) => {
    expect(explore(make({ ...options, dropAcquire: true }), { memoryModel: 'weak' }).finding?.kind).toBe('stale-entry')
    expect(explore(make(options), { memoryModel: 'weak', preemptions: 2 })).toMatchObject({
      finding: null,
      exhausted: true,
    })
  })

  it.each([
    ['split', scenarios.kickDuringEnable],
    ['packed', scenarios.packedKickDuringEnable],
  ])('without a barrier the device of a %s ring sleeps and is not notified', (_name, make) => {
    const found = explore(make({ ...options, dropBarrier: true }), { memoryModel: 'tso', preemptions: 2 })
    expect(found.finding?.kind).toBe('lost-notification')
    expect(explore(make(options), { memoryModel: 'tso', preemptions: 2 })).toMatchObject({
      finding: null,
      exhausted: true,
    })
  })

  it('a batch of a packed ring is served while its descriptors move', () => {
    const { finding, exhausted } = explore(scenarios.packedBatchDuringInvalidation({ parts, sync: 'spinlock' }), {
      memoryModel: 'sc',
      preemptions: 1,
      waitLimit: 64,
    })
    expect([finding, exhausted]).toEqual([null, true])
  })
})
