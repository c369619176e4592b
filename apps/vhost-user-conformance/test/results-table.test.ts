import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { confirmedOf } from './confirmed.ts'
import { PEERS } from './peers.ts'
import { keptResults, resultsSection, withResults } from './results-table.ts'

describe('the kept results of the peers', () => {
  test('are what the README shows (UPDATE_RESULTS=1 with the interop test)', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
    expect(withResults(readme, resultsSection())).toBe(readme)
  })

  test.each(PEERS)('say of each failure of $name what it does', ({ id }) => {
    const failed = (keptResults()[id] ?? []).filter(({ result }) => result === 'fail')
    expect(failed.length).toBeGreaterThan(0)
    expect(failed.filter((one) => confirmedOf(id, one.id) === null)).toEqual([])
  })
})
