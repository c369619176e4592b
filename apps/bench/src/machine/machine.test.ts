import { REFERENCE_STEPS } from '@vring/cost-model'
import { nativeAddress, unsupportedHost } from '@vring/linux'
import { MachineCode } from '@vring/linux/machine-code'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { formatPrice, machineCosts, stepPrices } from './machine-costs.ts'
import { type MachineProfile, measureMachine } from './measure-machine.ts'
import { assembleLoop, LINKS, STEP_CODE } from './step-code.ts'

const reason =
  unsupportedHost() ?? (process.arch === 'x64' ? null : `the steps are written for x64, not ${process.arch}`)
const price = (ns: number): { median: number; low: number; high: number } => ({ median: ns, low: ns, high: ns })
const made: MachineProfile = {
  clockGHz: 3,
  steps: { limitCheck: price(-0.001), mask: price(1), lfence: price(4), lock: price(7) },
  notMeasured: { stac: 'not measurable', clac: 'not measurable' },
}
const rows = (['copy-checked', 'nospec-masked', 'vmap-direct', 'linear-spinlock'] as const).map((label) => {
  return { label, steps: REFERENCE_STEPS[label] }
})

describe.skipIf(reason !== null)(`steps as machine code${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  test('come back, with the value of the chain unchanged: every check passes, every lock is free', () => {
    const memory = new ArrayBuffer(4096)
    for (const { step, with: link } of STEP_CODE) {
      const loop = MachineCode.of(assembleLoop(link), 'x64')
      expect(Number(loop.call(100, nativeAddress(memory))), step).toBe(0)
      loop.unmap()
    }
    expect(new Uint8Array(memory).every((byte) => byte === 0)).toBe(true)
  })

  test('a check whose address is not below the limit leaves the loop at once', () => {
    const memory = new ArrayBuffer(4096)
    // The chain's first load gives an address beyond the limit; the second check sees it.
    new BigUint64Array(memory)[0] = 0x7fff_ffff_f000n
    const { with: link } = STEP_CODE.find(({ step }) => step === 'mask')!
    const loop = MachineCode.of(assembleLoop(link), 'x64')
    expect(BigInt(loop.call(1, nativeAddress(memory)))).toBe(0x7fff_ffff_f000n)
    loop.unmap()
  })

  test('cost what hardware could: a barrier and a lock several cycles, a predicted check next to none', () => {
    const { clockGHz, steps, notMeasured } = measureMachine()
    expect(clockGHz).toBeGreaterThan(0.5)
    expect(clockGHz).toBeLessThan(8)
    expect(Object.keys(steps)).toEqual(STEP_CODE.map(({ step }) => step))
    const cycles = (step: string): number => steps[step]!.median * clockGHz!
    expect(cycles('load')).toBeGreaterThan(2)
    expect(cycles('lfence')).toBeGreaterThan(3)
    expect(cycles('lock')).toBeGreaterThan(5)
    expect(cycles('limitCheck')).toBeLessThan(cycles('lfence'))
    expect(cycles('mask')).toBeLessThan(cycles('lock'))
    for (const { median, low, high } of Object.values(steps)) {
      expect(low).toBeLessThanOrEqual(median)
      expect(high).toBeGreaterThanOrEqual(median)
    }
    expect(notMeasured).toEqual({ stac: expect.stringContaining('#UD'), clac: expect.stringContaining('#UD') })
  })
})

describe('a loop of steps', () => {
  test('is a prologue, its links and a jump back; each check jumps to the end', () => {
    const { with: link } = STEP_CODE.find(({ step }) => step === 'limitCheck')!
    const code = assembleLoop(link)
    const view = new DataView(code.buffer)
    const out = code.length - 1
    expect(code[out]).toBe(0xc3)
    const top = out - LINKS * link.length - 9
    expect(view.getInt32(out - 4, true)).toBe(top - out)
    for (let copy = 0; copy < LINKS; copy++) {
      const at = top + copy * link.length + 3
      expect([code[at], code[at + 1]]).toEqual([0x0f, 0x83])
      expect(at + 6 + view.getInt32(at + 2, true)).toBe(out)
    }
  })
})

describe('prices of a machine', () => {
  afterEach(() => void vi.unstubAllGlobals())

  test('give each way of access the cost of its own steps', () => {
    const costs = machineCosts(made, rows)!
    const by = (label: string) => costs.find((cost) => cost.label === label)!
    expect(by('copy-checked').measuredNs).toBeCloseTo(4 * REFERENCE_STEPS['copy-checked'].lfence, 9)
    expect(by('nospec-masked').measuredNs).toBeCloseTo(REFERENCE_STEPS['nospec-masked'].mask, 9)
    expect(by('vmap-direct').measuredNs).toBe(0)
    expect(by('linear-spinlock').measuredNs).toBeCloseTo(7 * REFERENCE_STEPS['linear-spinlock'].lock, 9)
    // Pairs around metadata and payload against pairs around payload alone, at the published price.
    expect(by('copy-checked').smapNs / by('vmap-direct').smapNs).toBeCloseTo((2 + 2.0625) / 2, 1)
  })

  test('say of each figure whether it was measured here or published', () => {
    const prices = stepPrices(made)
    expect(prices.at(-1)).toMatchObject({ step: 'stac + clac', interval: null })
    expect(prices.at(-1)!.from).toMatch(/^not measurable; fitted to rates of patch V4/)
    expect(prices.at(-1)!.ns).toBeGreaterThan(5)
    expect(prices.find(({ step }) => step === 'lfence')).toMatchObject({
      ns: 4,
      from: expect.stringMatching(/^measured/),
    })
    expect(formatPrice(prices.find(({ step }) => step === 'limitCheck')!)).toBe('0.00 [0.00, 0.00]')
  })

  test('are not available on another processor, and say why', () => {
    vi.stubGlobal('process', { ...process, arch: 'arm64', platform: 'linux' })
    const other = measureMachine()
    expect(other.clockGHz).toBeNull()
    expect(other.notMeasured['lfence']).toBe('the steps are written for x64; this is arm64')
    expect(machineCosts(other, rows)).toBeNull()
    expect(stepPrices(other)[0]).toMatchObject({ ns: null, from: expect.stringContaining('not available') })
    expect(formatPrice(stepPrices(other)[0]!)).toBe('–')
  })
})
