import { describe, expect, it } from 'vitest'
import { coresText } from '../commands/cores.ts'
import { DEFAULT_BOUNDS } from './classes.ts'
import { type CorePair, coreMatrix, corePair, usableCpus } from './core-matrix.ts'
import { CoreProbe, type RoundTrip } from './core-probe.ts'

const trip = (ns: number | null, fifo = true): RoundTrip => {
  return { ns, reason: ns === null ? 'CPU 1 did not answer' : null, fifo, method: ns === null ? null : 'machine code' }
}
const conditions = { bounds: DEFAULT_BOUNDS, rounds: 2 }
const pair = (cpus: [number, number], ns: number, siblings = false): CorePair => {
  return { ...corePair(cpus, [trip(ns)], DEFAULT_BOUNDS), siblings }
}

describe('a matrix of cores', () => {
  it('recommends the nearest two that are not threads of one core', () => {
    const pairs = [pair([0, 1], 20, true), pair([0, 2], 130), pair([1, 2], 110)]
    const matrix = coreMatrix([0, 1, 2], pairs, { ...conditions, trips: [trip(20), trip(130), trip(110)] })
    expect(matrix.use?.cpus).toEqual([1, 2])
    const text = coresText(matrix)
    expect(text).toContain('Use CPU 1 and CPU 2 (--cores 1,2): between, 110 ns')
    expect(text).toMatch(/^0 +20 +130$/m)
    expect(text).toMatch(/^2 +130 +110$/m)
    expect(coreMatrix([0, 1], pairs.slice(0, 1), { ...conditions, trips: [trip(20)] }).use?.siblings).toBe(true)
  })

  it('says in one line each that nothing could be measured, that priority was refused, and that CPUs moved', () => {
    const none = corePair([0, 1], [trip(null)], DEFAULT_BOUNDS)
    expect(none).toMatchObject({ ns: null, class: 'unknown', reason: 'CPU 1 did not answer' })
    const text = (trips: RoundTrip[]): string =>
      coresText(coreMatrix([0, 1], [corePair([0, 1], trips, DEFAULT_BOUNDS)], { ...conditions, trips }))
    expect(text([trip(null)])).toContain('\nno pair could be measured: CPU 1 did not answer')
    expect(text([trip(57, false)])).toContain('\nno CAP_SYS_NICE (run as root): ')
    expect(text([trip(57)])).not.toContain('CAP_SYS_NICE')
    expect(text([trip(57), trip(350)])).toContain('\na pair changed meanwhile: ')
    expect(text([trip(80)])).toContain('\n1 of 1 at the bound of a class: ')
  })
})

const cpus = usableCpus()
const reason = cpus.length < 2 ? 'there are no two CPUs' : null

describe.skipIf(reason !== null)(`a round trip${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  it.each(['machine code', 'atomics'] as const)(
    'by %s takes what a cache line could',
    async (method) => {
      if (method === 'machine code' && process.arch !== 'x64') return
      const probe = await CoreProbe.start(method)
      try {
        // On a machine that does other work an end may wait in vain; not for ever.
        let measured = await probe.roundTrip(cpus[0]!, cpus[1]!)
        for (let again = 0; measured.ns === null && again < 50; again++)
          measured = await probe.roundTrip(cpus[0]!, cpus[1]!)
        expect(measured.reason).toBeNull()
        expect(measured.method).toBe(method)
        expect(measured.ns).toBeGreaterThan(5)
        expect(measured.ns).toBeLessThan(100_000)
      } finally {
        await probe.close()
      }
    },
    60_000,
  )

  it('with a CPU that is not there says so and throws nothing', async () => {
    const probe = await CoreProbe.start()
    const { ns, reason: why } = await probe.roundTrip(cpus[0]!, 1023)
    expect([ns, why]).toEqual([null, "CPU 1023 can't be pinned (EINVAL)"])
    await probe.close()
  }, 60_000)
})
