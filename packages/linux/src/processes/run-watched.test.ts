import { describe, expect, test, vi } from 'vitest'
import { runWatched, whereItStands } from './run-watched.ts'
import { tryModule } from './try-module.ts'

// Processes of their own: a busy machine takes its time.
vi.setConfig({ testTimeout: 120_000 })

/** So late is late: time for a busy machine to import a line, in ms. */
const LATE_MS = 2000

const module = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`
const run = (source: string, limitMs = 60_000): ReturnType<typeof runWatched> =>
  runWatched({ module: module(source), name: 'go', argument: { a: 1 } }, { limitMs })

describe('code that is run in a process of its own', () => {
  test('gives its result', async () => {
    expect(await run('export const go = async ({ a }) => ({ got: [a] })')).toEqual({
      kind: 'returned',
      value: { got: [1] },
    })
  })

  test('is named by method and place where it never returns', async () => {
    const end = await run('class Wire { open() { for (;;); } }\nexport const go = () => new Wire().open()', LATE_MS)
    expect(end).toMatchObject({ kind: 'late' })
    expect(end.kind === 'late' && whereItStands(end)).toMatch(
      /^stands in Wire\.open at data:.*:1, called from go at data:.*:2/,
    )
  })

  test('is told from code that waits, throws, exits or is killed', async () => {
    expect(await run('setInterval(() => {}, 1e6); export const go = () => new Promise(() => {})', LATE_MS)).toEqual({
      kind: 'late',
      frames: [],
      waits: true,
    })
    expect(await run('export const go = () => { throw new Error("not today") }')).toEqual({
      kind: 'threw',
      error: 'not today',
    })
    expect(await run('export const go = () => process.exit(3)')).toEqual({
      kind: 'ended',
      how: 'its process exited with code 3',
      explained: false,
    })
    expect(await run('export const go = () => process.kill(process.pid, "SIGKILL")')).toEqual({
      kind: 'ended',
      how: 'its process was killed by SIGKILL',
      explained: false,
    })
  })
})

describe('a module that is tried', () => {
  test('may throw: it will do so where it is imported, too', async () => {
    expect(await tryModule(module('throw new Error("not today")'), 60_000)).toBeNull()
  })

  test.each([
    [
      'function spin() { for (;;); }\nspin()',
      /^is not loaded after 2000 ms: stands in spin at data:.*:1, called from data:.*:2/,
    ],
    [
      'export const plugin = { name: "looks", supports: { get iotlb() { for (;;); } } }',
      /^is not loaded after 2000 ms: stands in get iotlb at data:/,
    ],
    [
      'export default new (class { get name() { throw new Error("no") } get options() { for (;;); } })()',
      /^is not loaded after 2000 ms: stands in get options at data:/,
    ],
    ['setInterval(() => {}, 1e6); await new Promise(() => {})', /^is not loaded after 2000 ms: waits for something$/],
  ])('must come to its end: %s', async (source, said) => {
    expect(await tryModule(module(source), LATE_MS)).toMatch(said)
  })

  test('may not end the process', async () => {
    expect(await tryModule(module('process.exit(3)'), 60_000)).toBe('does not load: its process exited with code 3')
  })
})
