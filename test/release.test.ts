import { describe, expect, test } from 'vitest'
import { closedGates, GATES } from '../scripts/release.ts'

describe('a release', () => {
  test('says each gate that is closed, with its reason, and none that is open', () => {
    const gates = [
      { name: 'open', check: () => null },
      { name: 'closed', check: () => 'a reason' },
    ]
    expect(closedGates(gates)).toEqual(['closed: no: a reason'])
  })

  test('is held while CI has not passed on this commit', () => {
    expect(closedGates(GATES.filter(({ name }) => name.includes('CI')))[0]).toMatch(
      /^CI is green on this commit: no: --ci-passed=COMMIT does not name it/,
    )
  })
})
