import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ForkedProcess } from './forked-process.ts'

const LIMIT_MS = 60_000

describe('a process that was forked', () => {
  let forked: ForkedProcess
  beforeEach(() => {
    forked = new ForkedProcess(new URL('../../test/answering.mjs', import.meta.url), { execArgv: [], stdout: 'pipe' })
  })
  afterEach(async () => {
    forked.kill()
    await forked.ended
  })

  test('answers one request after the other', async () => {
    for (const bytes of [Uint8Array.of(1), Uint8Array.of(2)]) {
      const request = { do: 'echo', bytes }
      expect(await forked.ask(request, LIMIT_MS)).toEqual({ kind: 'answered', answer: request })
    }
  })

  test('that ends says how, and why by its last error', async () => {
    const end = { how: 'exited with code 7', lastWords: 'Error: no more memory' }
    expect(await forked.ask({ do: 'exit' }, LIMIT_MS)).toEqual({ kind: 'ended', end })
    expect(await forked.ask({ do: 'echo' }, LIMIT_MS)).toEqual({ kind: 'ended', end })
  })

  test('has ended although a child of it holds its output', async () => {
    const end = { how: 'exited with code 8', lastWords: '' }
    expect(await forked.ask({ do: 'orphan' }, LIMIT_MS)).toEqual({ kind: 'ended', end })
  })

  test('may be late, and is asked no more after an abort; neither ends it', async () => {
    const abort = new AbortController()
    expect(await forked.ask({ do: 'silence' }, 10)).toEqual({ kind: 'late' })
    const asked = forked.ask({ do: 'silence' }, Number.POSITIVE_INFINITY, abort.signal)
    abort.abort()
    expect(await asked).toEqual({ kind: 'aborted' })
    expect(await forked.ask({ do: 'echo' }, LIMIT_MS, abort.signal)).toEqual({ kind: 'aborted' })
    expect(await forked.ask({ do: 'echo' }, LIMIT_MS)).toEqual({ kind: 'answered', answer: { do: 'echo' } })
  })

  test('ends itself when its channel closes, also while it is stopped', async () => {
    await forked.ask({ do: 'echo' }, LIMIT_MS)
    forked.pause()
    forked.close(LIMIT_MS)
    expect(await forked.ended).toEqual({ how: 'exited with code 9', lastWords: '' })
  })

  test('that hears nothing more is killed', async () => {
    forked.pause()
    forked.kill()
    expect((await forked.ended).how).toBe('was killed by SIGKILL')
  })
})
