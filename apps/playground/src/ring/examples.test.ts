import { describe, expect, it } from 'vitest'
import { Machine } from '../machine/machine.ts'
import { Session } from '../machine/session.ts'
import { EXAMPLES } from './examples.ts'

const run = ({ options, script }: (typeof EXAMPLES)[number]) => {
  const machine = new Machine(options)
  for (const action of script) machine.perform(action)
  return machine.moments
}

describe('the examples', () => {
  it.each(EXAMPLES)('$title begins where it says, and every injection happens', (example) => {
    const moments = run(example)
    expect(moments.map(({ title }) => title)).toContain(example.at)
    for (const [index, action] of example.script.entries()) {
      const wanted = action.kind === 'round' ? action.injections.length : 0
      expect(Math.max(...moments.filter((moment) => moment.action === index).map(({ injected }) => injected))).toBe(
        wanted,
      )
    }
  })

  it('run again, each gives the same moments', () => {
    for (const example of EXAMPLES) expect(JSON.stringify(run(example))).toBe(JSON.stringify(run(example)))
  })

  it('only the one that is deaf leaves a stale mapping', () => {
    const stale = EXAMPLES.filter((example) =>
      run(example).some(({ snapshot }) => snapshot.mappings.some((mapping) => mapping.stale)),
    )
    expect(stale.map(({ title }) => title)).toEqual(['Deaf to the notifier'])
  })

  it('a script that is loaded can be taken back', () => {
    const [first, second] = EXAMPLES as [(typeof EXAMPLES)[0], (typeof EXAMPLES)[0]]
    const session = new Session(first.options)
    session.load(second.options, second.script)
    expect(session.options).toBe(second.options)
    session.undo()
    expect(session.options).toBe(first.options)
    expect(session.moments).toHaveLength(1)
  })
})
