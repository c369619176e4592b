import { describe, expect, it } from 'vitest'
import { ACCESSORS } from './accessors.ts'
import type { Action } from './action.ts'
import { ROUND } from './action.ts'
import type { MachineOptions } from './machine.ts'
import { ACTIONS_MAX, Session } from './session.ts'

const options = (name: string): MachineOptions => ({ accessor: { name, options: {} }, backing: 'anonymous' })
const ADD: Action = { kind: 'add', shape: 'buffer' }
const PUBLISH: Action = { kind: 'publish' }
const MIGRATE_USED: Action = { kind: 'memory', event: 'migrate', region: 'device' }

function published(name: string): Session {
  const session = new Session(options(name))
  session.act(ADD)
  session.act(PUBLISH)
  return session
}

/** Steps until the current moment's title contains `text`. */
function stepTo(session: Session, text: string): void {
  for (let steps = 0; !session.current.title.includes(text); steps++) {
    if (steps > 100) throw new Error(`never came to ${text}`)
    session.step()
  }
}

const titles = (session: Session): string[] => session.moments.map(({ title }) => title)

describe('a session', () => {
  it.each(ACCESSORS.map(({ name }) => name))('steps a packet through %s, one access at a time', (name) => {
    const session = published(name)
    if (name === 'iotlb-translated') session.act({ kind: 'translate-all' })
    session.step()
    expect(session.current.title).toBe('begins a round')
    expect(session.current.snapshot.totals.packets).toBe(0)
    for (const title of ['loads avail.idx → 1', 'loads avail.ring[0] → 0', 'loads desc[0]']) {
      session.step()
      expect(session.current.title).toBe(title)
    }
    stepTo(session, 'the round ends')
    const { queue, totals, violations } = session.current.snapshot
    expect(totals).toMatchObject({ packets: 1, lastRound: 'empty', verdicts: [0, 1, 0, 0, 0] })
    expect(queue).toMatchObject({ usedIdx: 1, nextAvail: 1, broken: null })
    expect(violations).toEqual([])
  })

  it('shows the steps of an access as the accessor takes them', () => {
    const session = published('copy-checked')
    stepTo(session, 'loads avail.idx')
    expect(session.current.steps).toEqual(['stac', 'lfence', 'walk', 'load', 'clac'])
    session.act({ kind: 'switch', accessor: { name: 'nospec-masked', options: {} } })
    session.act(ADD)
    session.act(PUBLISH)
    session.step()
    session.step()
    expect(session.current.steps).toEqual(['limitCheck', 'predict', 'mask', 'stac', 'walk', 'load', 'clac'])
  })

  it('lets an invalidation happen between two accesses: the mapping goes, the store falls back, the next round maps', () => {
    const session = published('vmap-direct')
    stepTo(session, 'loads desc[0]')
    expect(session.current.snapshot.mappings.map(({ area }) => area)).toEqual(['desc', 'driver', 'device'])
    const before = session.cursor
    session.act(MIGRATE_USED)
    const passed = session.moments.slice(before + 1, session.cursor + 1)
    expect(passed.map(({ title }) => title)).toEqual([
      'invalidate_range_start: clear, device',
      'invalidate_range_end: clear, device',
      'Migrate: device',
    ])
    expect(passed[0]!.snapshot.openInvalidations).toBe(1)
    expect(passed[0]!.snapshot.mappings.map(({ area }) => area)).toEqual(['desc', 'driver'])
    stepTo(session, 'stores used.idx')
    expect(session.current.trace?.mode).toBe('fallback:notifier-busy')
    expect(session.current.snapshot.totals).toMatchObject({
      packets: 1,
      accesses: { 'desc: direct': 1, 'driver: direct': 2, 'device: fallback:notifier-busy': 2 },
    })
    stepTo(session, 'the round ends')
    session.step()
    expect(session.current.snapshot.mappings.map(({ area }) => area)).toEqual(['desc', 'driver', 'device'])
    expect(session.current.snapshot.violations).toEqual([])
  })

  it('keeps several injections of a round in their places, and drops what an earlier one rewrites', () => {
    const session = published('vmap-direct')
    stepTo(session, 'loads desc[0]')
    session.act(MIGRATE_USED)
    session.act({ kind: 'memory', event: 'fork', region: 'desc' })
    expect(session.current.title).toBe('Fork')
    stepTo(session, 'stores used.idx')
    session.act(ADD)
    expect(session.script.at(-1)).toMatchObject({ kind: 'round', injections: [{}, {}, {}] })
    session.goTo(session.moments.findIndex(({ title }) => title === 'loads avail.idx → 1'))
    session.act(PUBLISH)
    expect(session.script.at(-1)).toMatchObject({ kind: 'round', injections: [{ action: PUBLISH }] })
    expect(titles(session)).not.toContain('Fork')
  })

  it('shows a mapping that outlives its pages, and what comes of it', () => {
    const session = published('vmap-direct-deaf')
    session.act(ROUND)
    session.act(MIGRATE_USED)
    session.goTo(session.moments.length - 1)
    expect(session.current.snapshot.mappings.find(({ area }) => area === 'device')?.stale).toBe(true)
    session.act({ kind: 'memory', event: 'migrate', region: 'driver' })
    session.act(ROUND)
    stepTo(session, 'loads avail.idx → 43690')
    expect(session.current.detail).toContain('freed')
    session.goTo(session.moments.length - 1)
    expect(session.current.snapshot.queue.broken).toBe('avail-idx-jump')
  })

  it('a hostile chain breaks the queue; setting up again mends it', () => {
    const session = new Session(options('copy-checked'))
    session.act({ kind: 'add', shape: 'loop' })
    session.act(PUBLISH)
    session.act(ROUND)
    session.goTo(session.moments.length - 1)
    expect(session.current).toMatchObject({ title: 'the round ends: broken, chain-too-long', fault: true })
    session.act({ kind: 'set-up' })
    session.act(ADD)
    session.act(PUBLISH)
    session.act(ROUND)
    session.goTo(session.moments.length - 1)
    expect(session.current.title).toBe('the round ends: empty')
  })

  it('a missing translation ends the round; answered one by one, the packet goes through', () => {
    const session = published('iotlb-translated')
    for (let rounds = 0; session.current.snapshot.totals.packets === 0; rounds++) {
      expect(rounds).toBeLessThan(8)
      session.act(ROUND)
      session.goTo(session.moments.length - 1)
      if (session.current.snapshot.totals.packets === 0) session.act({ kind: 'answer-misses' })
    }
    expect(session.current.snapshot.iotlb?.entries.length).toBeGreaterThanOrEqual(4)
  })

  it('a file is never mapped directly', () => {
    const session = new Session({ accessor: { name: 'vmap-direct', options: {} }, backing: 'file' })
    session.step()
    session.step()
    expect(session.current.trace?.mode).toBe('fallback:file-backed')
  })

  it('a guest that lost its ring is told so, and the page goes on', () => {
    const session = published('copy-checked')
    session.act({ kind: 'memory', event: 'unmap', region: 'driver' })
    session.act(ADD)
    expect(session.current).toMatchObject({ actor: 'driver', fault: true })
    expect(session.current.snapshot.areas.driver).toBeNull()
    session.act(ROUND)
    session.goTo(session.moments.length - 1)
    expect(session.current.snapshot.queue.broken).toBe('metadata-fault')
  })

  it('undo and redo lead to the same moments again', () => {
    const session = published('vmap-direct')
    stepTo(session, 'loads desc[0]')
    const before = JSON.stringify(session.moments)
    const { cursor } = session
    session.act(MIGRATE_USED)
    const after = JSON.stringify(session.moments)
    session.undo()
    expect(session.cursor).toBe(cursor)
    expect(JSON.stringify(session.moments)).toBe(before)
    session.redo()
    expect(JSON.stringify(session.moments)).toBe(after)
    expect(session.canRedo).toBe(false)
  })

  it('stops taking actions at its limit', () => {
    const session = new Session(options('copy-checked'))
    for (let action = 0; action < ACTIONS_MAX + 5; action++) session.act(PUBLISH)
    expect(session.script).toHaveLength(ACTIONS_MAX)
    expect(session.isFull).toBe(true)
  })
})
