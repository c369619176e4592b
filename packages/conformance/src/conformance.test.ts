import {
  ACCESSOR_API_VERSION,
  type AccessorPlugin,
  type AccessorSupports,
  CopyAccessor,
  defineAccessor,
  UncheckedUser2019,
  type Window,
} from '@vring/accessor'
import { createWorld } from '@vring/testkit'
import { describe, expect, it } from 'vitest'
import { accessorConformance, applicableCases, CONFORMANCE_CASES, runConformance } from './accessor-conformance.ts'
import { checkEqual } from './conformance-case.ts'
import { formatKillTable, killTable, MUTANTS } from './mutants/kill-table.ts'
import { DelegatingWindow, delegate, mutatePlugin } from './mutants/mutant.ts'

function copying(supports: Partial<AccessorSupports> = {}): AccessorPlugin {
  return defineAccessor({
    name: 'reference',
    apiVersion: ACCESSOR_API_VERSION,
    description: 'one copy at a time',
    supports: {
      fileBacked: true,
      iotlb: false,
      noIotlb: true,
      needsMmuNotifier: false,
      needsPrefetch: false,
      speculationSafe: true,
      fallsBack: false,
      ...supports,
    },
    create: (context) => new CopyAccessor('reference', context, new UncheckedUser2019(context.cpu, context.space)),
  })
}

describe('the conformance kit', () => {
  it('registers each applicable case once, under its suite', () => {
    const registered: string[] = []
    let suite = ''
    const runner = {
      describe(name: string, body: () => void) {
        suite = name
        body()
      },
      it: (name: string) => registered.push(`${suite}: ${name}`),
    }
    accessorConformance(copying(), runner)
    expect(registered).toEqual(applicableCases(copying()).map((testCase) => `${testCase.suite}: ${testCase.title}`))
    expect(new Set(registered).size).toBe(registered.length)
  })

  it('asks for the inverse of what supports denies, and for nothing twice', () => {
    const titles = (supports: Partial<AccessorSupports>): string[] =>
      applicableCases(copying(supports)).map(({ title }) => title)
    expect(titles({ iotlb: false })).toContain('without support for a device IOTLB one is refused')
    expect(titles({ iotlb: true })).not.toContain('without support for a device IOTLB one is refused')
    expect(titles({ fileBacked: false, fallsBack: true })).toContain(
      'without support for files each access falls back, and the counters say so',
    )
    expect(titles({ fileBacked: false })).toContain(
      'without support for files and without a fallback the accessor refuses the ring',
    )
  })

  it('asks of an option value what is supported with it', () => {
    const option = { name: 'way', values: ['copy', 'none'], default: 'copy', description: 'of this test' }
    const plugin = defineAccessor({
      ...copying({ fallsBack: true }),
      options: [{ ...option, supports: { none: { fileBacked: false, fallsBack: false } } }],
      create: (context) => copying().create(context, {}),
    })
    const titles = (options: Record<string, string>): string[] =>
      applicableCases(plugin, options).map(({ title }) => title)
    const refuses = 'without support for files and without a fallback the accessor refuses the ring'
    expect(titles({})).not.toContain(refuses)
    expect(titles({ way: 'copy' })).toEqual(titles({}))
    expect(titles({ way: 'none' })).toContain(refuses)
    // It does not refuse one: what is declared of a value is asked like what is declared of the plugin.
    const failed = runConformance(plugin, { options: { way: 'none' } }).filter(({ failure }) => failure !== null)
    expect(failed.map(({ title }) => title)).toContain(refuses)
  })

  it('a case that fails says what was found and what was expected; what an accessor throws is a failure', () => {
    expect(() => checkEqual([1, 2], [1, 3], 'words')).toThrow('words[1]: found 2, expected 3')
    expect(() => checkEqual({ desc: 1, device: 2 }, { desc: 1 }, 'counts')).toThrow(
      'counts.device: found 2, expected undefined',
    )
    expect(() => checkEqual([1], [1], 'words')).not.toThrow()
  })

  it('where an accessor can’t be created the gate says so, and nothing else is asked', () => {
    const throwing = defineAccessor({
      ...copying(),
      create: () => {
        throw new Error('out of order')
      },
    })
    const [gate, ...rest] = runConformance(throwing)
    expect(gate).toMatchObject({ suite: 'gate', failure: 'out of order' })
    expect(rest).toEqual([])
    const registered: string[] = []
    accessorConformance(throwing, { describe: (_, body) => body(), it: (name) => registered.push(name) })
    expect(registered).toEqual([gate!.title])
  })

  it('a failure names area, method and offset of the access; those of one cause follow the first', () => {
    const undefinedLoad = mutatePlugin(copying(), {
      accessor: (accessor) =>
        delegate(accessor, {
          driver: Object.assign(new DelegatingWindow(accessor.driver), { load16: () => undefined }) as Window,
        }),
    })
    expect(runConformance(undefinedLoad).map(({ failure }) => failure)).toEqual([
      'driver.load16(2): found undefined, expected 0 to 65535 or a negative errno',
    ])
    const wrong = mutatePlugin(copying(), {
      accessor: (accessor) =>
        delegate(accessor, {
          driver: Object.assign(new DelegatingWindow(accessor.driver), {
            load16: (offset: number) => accessor.driver.load16(offset) & 0x7fff,
          }),
        }),
    })
    const failed = runConformance(wrong).filter(({ failure }) => failure !== null)
    expect(failed.length).toBeGreaterThan(3)
    const causes = failed.filter(({ follows }) => follows === null)
    expect(causes.map(({ title }) => title)).toEqual(['loads give what the driver stored, in the whole of each area'])
    expect(causes[0]!.failure).toMatch(/^driver\.load16\(\d+\): found \d+, expected \d+$/)
  })

  it('option values beside the defaults are asked for too, one at a time', () => {
    const shifting = defineAccessor({
      ...copying(),
      options: [{ name: 'step', values: ['none', 'some'], default: 'none', description: 'a shift' }],
      create(context, options) {
        const accessor = copying().create(context, {})
        if (options['step'] === 'none') return accessor
        const driver = Object.assign(new DelegatingWindow(accessor.driver), { load16: () => 7 })
        return delegate(accessor, { driver })
      },
    })
    expect(runConformance(shifting, { options: {} }).every(({ failure }) => failure === null)).toBe(true)
    const failed = runConformance(shifting).filter(({ failure }) => failure !== null)
    expect(failed.length).toBeGreaterThan(0)
    expect(new Set(failed.map(({ options }) => options))).toEqual(new Set(['step=some']))
  })

  it('every world begins with a ring that the accessor reaches', () => {
    for (const frames of ['contiguous', 'scattered'] as const)
      for (const backing of ['anonymous', 'shared', 'file'] as const) {
        const world = createWorld({ plugin: copying() }, { frames, backing, queueSize: 512 })
        world.driver.store16('driver', 2, 0x1234)
        world.round(() => expect(world.accessor.driver.load16(2)).toBe(0x1234))
      }
  })
})

describe('the mutants', () => {
  it('there are 45 or more, each with a name of its own and a case that exists to kill it', () => {
    expect(MUTANTS.length).toBeGreaterThanOrEqual(45)
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length)
    const titles = new Set(CONFORMANCE_CASES.map(({ title }) => title))
    expect(titles.size).toBe(CONFORMANCE_CASES.length)
    expect(MUTANTS.filter(({ killedBy }) => !titles.has(killedBy))).toEqual([])
  })

  it('each is killed by the case that must find it', () => {
    const kills = killTable(copying())
    const table = formatKillTable(kills)
    console.log(table)
    expect(
      kills.filter(({ verdict }) => verdict === null),
      table,
    ).toEqual([])
    expect(table).toMatch(
      new RegExp(`${kills.length} of ${kills.length} mutants killed by the case that must find them$`),
    )
  }, 240_000)

  it('a survivor shows in the table', () => {
    const kill = { mutant: 'immortal', flaw: 'none', expected: 'no case', verdict: null, killers: 0 }
    expect(formatKillTable([kill])).toBe(
      'SURVIVED  immortal  none   0x  no case\n0 of 1 mutants killed by the case that must find them',
    )
  })
})
