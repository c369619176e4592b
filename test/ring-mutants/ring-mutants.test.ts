import * as accessor from '@vring/accessor'
import * as layout from '@vring/layout'
import * as memory from '@vring/memory'
import fastCheck from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CollectedTests } from './collected-tests.ts'
import { MutatedModules, mutatedSource, shippedSource } from './load-mutated.ts'
import { RING_MUTANTS } from './ring-mutants.ts'

/** Tests of `virtqueue` that kill mutants. */
const TESTS = [
  'src/split/split-device-queue.test.ts',
  'src/packed/packed-device-queue.test.ts',
  'test/ring-chains.test.ts',
  'test/ring-faults.test.ts',
  'test/ring-holds.test.ts',
  'test/ring-order.test.ts',
]

/** What stands for a check or an order in the source: each such line has a mutant. */
const CHECK =
  /refuse\('|latch\('|load16Acquire\(|store16Release\(|\.w?mb\(|predict\(|indexNospec\(|hold\(\)|release\(|needEvent\(|HOLD_CHAINS|this\.broken !== null|availFlags\(this|log\??\.write\(|stac\(|clac\(/

/** Why the test says that the ring is broken, or null. */
type Verdict = string | null

describe('mutants of the ring', () => {
  it('have names of their own, and texts that occur exactly once', () => {
    expect(new Set(RING_MUTANTS.map(({ name }) => name)).size).toBe(RING_MUTANTS.length)
    for (const { file, edits } of RING_MUTANTS) expect(mutatedSource(file, edits)).not.toBe(shippedSource(file))
    expect(() => mutatedSource('split/split-reader.ts', [['no such text', '']])).toThrow('occurs 0 times')
  })

  it('each line of the shipped loops that checks or orders has one', () => {
    const missed: string[] = []
    for (const file of new Set(RING_MUTANTS.map((mutant) => mutant.file))) {
      const source = shippedSource(file)
      const edited = RING_MUTANTS.filter((mutant) => mutant.file === file).flatMap(({ edits }) =>
        edits.map(([from]) => ({ from: source.indexOf(from), to: source.indexOf(from) + from.length })),
      )
      let at = 0
      for (const line of source.split('\n')) {
        const end = at + line.length
        const code = line.trim()
        const comment = code.startsWith('*') || code.startsWith('//') || code.startsWith('/*')
        const covered = edited.some(({ from, to }) => from < end && at < to)
        if (!comment && !code.startsWith('import ') && CHECK.test(code) && !code.startsWith('private ') && !covered)
          missed.push(`${file}: ${code}`)
        at = end + 1
      }
    }
    expect(missed).toEqual([])
  })

  it('each is killed by its test in virtqueue, which holds for the shipped ring', async () => {
    const collected = new CollectedTests()
    const modules = await MutatedModules.of(TESTS.map((file) => `import './packages/virtqueue/${file}'`).join('\n'), {
      '@vring/accessor': accessor,
      '@vring/layout': layout,
      '@vring/memory': memory,
      'fast-check': fastCheck,
      vitest: collected.module(expect),
    })
    const verdict = (title: string): Verdict => {
      try {
        collected.tests.get(title)!()
        return null
      } catch (error) {
        return error instanceof Error ? error.message.split('\n')[0]! : String(error)
      }
    }
    await modules.load(null, [])
    const titles = new Set(RING_MUTANTS.map(({ killedBy }) => killedBy))
    expect([...titles].filter((title) => !collected.tests.has(title))).toEqual([])
    expect([...titles].map((title) => [title, verdict(title)]).filter(([, failure]) => failure !== null)).toEqual([])

    const lines: string[] = []
    const survivors: string[] = []
    for (const { name, flaw, file, edits, killedBy } of RING_MUTANTS) {
      collected.tests.clear()
      await modules.load(file, edits)
      const survived = verdict(killedBy) === null
      if (survived) survivors.push(name)
      lines.push(`${survived ? 'SURVIVED' : 'killed  '}  ${name.padEnd(40)}  ${flaw}  <- ${killedBy}`)
    }
    await modules.close()
    console.log([...lines, `${RING_MUTANTS.length - survivors.length} of ${RING_MUTANTS.length} killed`].join('\n'))
    expect(survivors).toEqual([])
    // Ten seconds of work; a busy machine takes longer.
  }, 600_000)
})
