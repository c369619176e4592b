import type { AccessorPlugin } from '@vring/accessor'
import * as accessor from '@vring/accessor'
import { copyChecked } from '@vring/accessor-copy-checked'
import { vmapDirect } from '@vring/accessor-vmap-direct'
import type * as Kit from '@vring/conformance'
import * as iotlb from '@vring/iotlb'
import * as layout from '@vring/layout'
import * as memory from '@vring/memory'
import * as testkit from '@vring/testkit'
import fastCheck from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CollectedTests } from './collected-tests.ts'
import { MutatedModules, mutatedSource, shippedSource } from './load-mutated.ts'
import { ReachedCode } from './reached-code.ts'
import { RING_MUTANTS } from './ring-mutants.ts'

/** Tests of `virtqueue` that kill mutants. */
const TESTS = [
  'src/split/split-device-queue.test.ts',
  'src/split/split-hostile-driver.test.ts',
  'src/split/split-notifications.test.ts',
  'src/packed/packed-device-queue.test.ts',
  'src/packed/packed-hostile-driver.test.ts',
  'src/packed/packed-notifications.test.ts',
  'test/ring-chains.test.ts',
  'test/ring-faults.test.ts',
  'test/ring-holds.test.ts',
  'test/ring-order.test.ts',
  'test/recalled-chains.test.ts',
]

/** What stands for a check or an order in the source: each such line has a mutant. */
const CHECK =
  /refuse\('|latch\('|load16Acquire\(|store16Release\(|\.[rw]?mb\(|predict\(|indexNospec\(|hold\(\)|release\(|needEvent\(|HOLD_CHAINS|this\.broken !== null|availFlags\(this|log\??\.write\(|stac\(|clac\(/

/** Why a test says that the ring is broken, or null. */
type Verdict = string | null

/** The tests of `virtqueue` and the accessor kit, over one ring. */
const JUDGES = [
  ...TESTS.map((file) => `import './packages/virtqueue/${file}'`),
  "export * from './packages/conformance/src/index.ts'",
].join('\n')

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

  it('each is killed by its test in virtqueue and by its case of the kit, with a lease and without; both hold for what ships', async () => {
    const collected = new CollectedTests()
    const modules = await MutatedModules.of<typeof Kit>(JUDGES, {
      '@vring/accessor': accessor,
      '@vring/iotlb': iotlb,
      '@vring/layout': layout,
      '@vring/memory': memory,
      '@vring/testkit': testkit,
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
    const kitVerdict = (kit: typeof Kit, plugin: AccessorPlugin, title: string): Verdict => {
      const [judged] = kit.CONFORMANCE_CASES.filter((one) => one.title === title)
      if (judged === undefined) throw new Error(`no case of the kit is called: ${title}`)
      return kit.runConformance(plugin, { options: {} }, [judged])[0]!.failure
    }
    const bundle = await modules.bundle(null, [])
    const shipped = modules.run(bundle, 'shipped.js')
    const titles = new Set(RING_MUTANTS.map(({ killedBy }) => killedBy))
    expect([...titles].filter((title) => !collected.tests.has(title))).toEqual([])
    expect([...titles].map((title) => [title, verdict(title)]).filter(([, failure]) => failure !== null)).toEqual([])
    for (const title of new Set(RING_MUTANTS.map(({ kitCase }) => kitCase)))
      for (const plugin of [vmapDirect, copyChecked])
        expect([title, kitVerdict(shipped, plugin, title)]).toEqual([title, null])
    const withoutLease = await ReachedCode.of(bundle, 'without-lease.js', () => {
      const failed = modules.run(bundle, 'without-lease.js').runConformance(copyChecked)
      expect(failed.filter(({ failure }) => failure !== null)).toEqual([])
    })

    const lines: string[] = []
    const survivors: string[] = []
    let unreached = 0
    for (const { name, flaw, file, edits, killedBy, kitCase } of RING_MUTANTS) {
      collected.tests.clear()
      const mutated = await modules.bundle(file, edits)
      const kit = modules.run(mutated, 'mutant.js')
      const killed = verdict(killedBy) !== null
      const byLease = kitVerdict(kit, vmapDirect, kitCase) !== null
      const byWindows = kitVerdict(kit, copyChecked, kitCase) !== null
      // Without a lease nothing tells a mutant apart whose code then never runs.
      let alike = !byWindows
      for (const edit of byWindows ? [] : edits)
        alike &&= !withoutLease.meets(edits.length === 1 ? mutated : await modules.bundle(file, [edit]))
      if (alike) unreached++
      for (const [judge, what] of [
        [killedBy, killed ? 'killed' : 'SURVIVED'],
        [`kit: ${kitCase}`, byLease ? 'killed' : 'SURVIVED'],
        ['kit, no lease', byWindows ? 'killed' : alike ? 'not run' : 'SURVIVED'],
      ] as const) {
        if (what === 'SURVIVED') survivors.push(`${name}: ${judge}`)
        lines.push(`${what.padEnd(8)}  ${name.padEnd(40)}  ${flaw}  <- ${judge}`)
      }
    }
    await modules.close()
    console.log(
      [
        ...lines,
        `${RING_MUTANTS.length} mutants, ${survivors.length} survivals`,
        `${unreached} are of code that the kit never runs over an accessor without a lease (block coverage of its whole run)`,
      ].join('\n'),
    )
    expect(survivors).toEqual([])
    // Half a minute of work; a busy machine takes longer.
  }, 900_000)
})
