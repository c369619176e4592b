import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { repositoryRoot } from '../scripts/workspace.ts'
import { readCorpus } from './engine/corpus.ts'
import type { FuzzTarget } from './engine/target.ts'
import { TARGETS } from './targets.ts'

describe('the corpus of fuzzing', () => {
  test.each(TARGETS)('%s: every input that was ever of interest, and the first ones, hold', async (name) => {
    const { target } = (await import(`./targets/${name}.ts`)) as { target: FuzzTarget }
    expect(target.name).toBe(name)
    const corpus = readCorpus(join(repositoryRoot, 'fuzz/corpus', name))
    expect(corpus.length).toBeGreaterThan(0)
    for (const input of [...target.seeds, ...corpus]) expect(await target.run(input)).toBeGreaterThan(0)
  })

  test('is of targets that there are', () => {
    expect(readdirSync(join(repositoryRoot, 'fuzz/corpus')).sort()).toEqual([...TARGETS].sort())
    const modules = readdirSync(join(repositoryRoot, 'fuzz/targets')).map((file) => file.replace(/\.ts$/, ''))
    expect(modules.sort()).toEqual([...TARGETS].sort())
  })
})
