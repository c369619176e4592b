import { unsupportedHost } from '@vring/linux'
import { describe, expect, test } from 'vitest'
import { runSoak } from './soak/soak.ts'

const reason = unsupportedHost() ?? (process.getuid?.() === 0 ? null : 'needs root')

describe.skipIf(reason !== null)(`the soak${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  test('a few seconds of it, without guests: every frame is the same, and nothing is left or has grown', async () => {
    const { lines, failures } = await runSoak({ timeMs: 6000, seed: 1, peers: false })
    console.log(lines.join('\n'))
    expect(failures).toEqual([])
    // Each part did something.
    for (const what of [/neighbours: .*nothing/, /killed drivers: \d+ link changes/, /killed daemons: \d+ daemons/])
      expect(lines.join('\n')).toMatch(what)
  })
})
