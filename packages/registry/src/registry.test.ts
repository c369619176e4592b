import { type AccessorDefinition, type AccessorPlugin, type AccessorSupports, defineAccessor } from '@vring/accessor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRegistry } from './built-in.ts'
import { editDistance, nearestName } from './nearest-name.ts'
import { composeRegistry } from './registry.ts'
import { selectAccessor } from './selection.ts'

const copySupports: AccessorSupports = {
  fileBacked: true,
  iotlb: false,
  noIotlb: true,
  needsMmuNotifier: false,
  needsPrefetch: false,
  speculationSafe: true,
  fallsBack: false,
}

function plugin(
  name: string,
  supports: Partial<AccessorSupports>,
  more: Partial<AccessorDefinition> = {},
): AccessorPlugin {
  return defineAccessor({
    name,
    apiVersion: 1,
    description: `${name} of this test`,
    supports: { ...copySupports, ...supports },
    create: () => {
      throw new Error('never created here')
    },
    ...more,
  })
}

const direct = plugin('vmap-direct', {
  fileBacked: false,
  needsMmuNotifier: true,
  needsPrefetch: true,
  speculationSafe: false,
  fallsBack: true,
})
const translated = plugin('iotlb-translated', { iotlb: true, noIotlb: false, needsPrefetch: true })
const masked = plugin('nospec-masked', {})
const copy = plugin('copy-checked', {})
const preference = [direct, translated, masked, copy]

describe('nearest name', () => {
  it('finds the slip of a key and the part of a name, and nothing for nonsense', () => {
    const names = preference.map(({ name }) => name)
    expect(nearestName('vmap-dierct', names)).toBe('vmap-direct')
    expect(nearestName('masked', names)).toBe('nospec-masked')
    expect(nearestName('COPY-CHECKD', names)).toBe('copy-checked')
    expect(nearestName('zzzzzz', names)).toBeNull()
    expect(nearestName('x', [])).toBeNull()
  })

  it('edit distance is a metric', () => {
    const word = fc.string({ maxLength: 8 })
    fc.assert(
      fc.property(word, word, word, (a, b, c) => {
        expect(editDistance(a, a)).toBe(0)
        expect(editDistance(a, b)).toBe(editDistance(b, a))
        expect(editDistance(a, c)).toBeLessThanOrEqual(editDistance(a, b) + editDistance(b, c))
        expect(editDistance(a, b)).toBeGreaterThanOrEqual(Math.abs(a.length - b.length))
      }),
    )
    expect(editDistance('kitten', 'sitting')).toBe(3)
  })
})

describe('selection', () => {
  it.each([
    [{}, 'vmap-direct', []],
    [{ fileBacked: true }, 'nospec-masked', ['vmap-direct', 'iotlb-translated']],
    [{ iotlb: true }, 'iotlb-translated', ['vmap-direct']],
    [{ iotlb: true, prefetch: false }, 'iotlb-translated', ['vmap-direct']],
    [{ prefetch: false }, 'nospec-masked', ['vmap-direct', 'iotlb-translated']],
    [{ notifier: false }, 'nospec-masked', ['vmap-direct', 'iotlb-translated']],
    [{ speculationSafe: true }, 'nospec-masked', ['vmap-direct', 'iotlb-translated']],
    [{ force: 'copy-checked' }, 'copy-checked', ['vmap-direct', 'iotlb-translated', 'nospec-masked']],
    [{ force: 'vmap-direct', fileBacked: true }, 'vmap-direct', ['copy-checked']],
  ])('with %o it chooses %s', (conditions, chosen, rejected) => {
    const selection = selectAccessor(preference, conditions)
    expect(selection.chosen).toBe(chosen)
    expect(selection.rejected).toHaveLength(preference.length - 1)
    for (const name of rejected) expect(selection.rejected.map((rejection) => rejection.name)).toContain(name)
    for (const { reason } of selection.rejected) expect(reason.length).toBeGreaterThan(10)
  })

  it('says why, and what a forced choice costs', () => {
    expect(selectAccessor(preference, { fileBacked: true }).rejected[0]).toEqual({
      name: 'vmap-direct',
      reason: 'the ring is file-backed and its writes would escape writeback: every access would fall back',
    })
    expect(selectAccessor(preference, { fileBacked: true, force: 'vmap-direct' }).why).toMatch(
      /^forced, although the ring is file-backed/,
    )
  })

  it('refuses with a device IOTLB what does not translate, also one that falls back elsewhere', () => {
    const { rejected } = selectAccessor(preference, { iotlb: true })
    expect(rejected[0]).toEqual({
      name: 'vmap-direct',
      reason: 'it does not translate IOVAs and a device IOTLB is on',
    })
    const forced = { iotlb: true, force: 'vmap-direct' }
    expect(() => selectAccessor(preference, forced)).toThrow(expect.objectContaining({ code: 'ERR_UNSUPPORTED' }))
  })

  it('refuses to force what can not work', () => {
    expect(() => selectAccessor(preference, { force: 'iotlb-translated' })).toThrow(
      expect.objectContaining({ code: 'ERR_UNSUPPORTED', message: expect.stringContaining('device IOTLB only') }),
    )
  })
})

describe('selection without an answer', () => {
  it('names what speaks against each', () => {
    expect(() => selectAccessor([masked, copy], { iotlb: true })).toThrow(
      /no accessor can serve this ring \(nospec-masked: it does not translate.*copy-checked: it does not translate/,
    )
    expect(() => selectAccessor([], {})).toThrow(/no accessor can serve/)
  })
})

describe('registry', () => {
  const registry = composeRegistry({ accessors: preference })

  it('says what is accepted and which name was probably meant', () => {
    expect(registry.accessor('copy-checked')).toBe(copy)
    expect(() => registry.accessor('copychecked')).toThrow(
      'accessor "copychecked" is unknown; accepted: vmap-direct, iotlb-translated, nospec-masked, copy-checked; ' +
        'did you mean copy-checked?',
    )
    expect(() => registry.backend('drop')).toThrow('backend "drop" is unknown; accepted: none')
    expect(() => registry.select({ force: 'vmap' })).toThrow('did you mean vmap-direct?')
  })

  it('refuses two parts of one name', () => {
    expect(() => registry.with({ accessors: [plugin('copy-checked', {})] })).toThrow(
      'two accessors are named copy-checked',
    )
  })

  it('puts added accessors last in preference and leaves the first registry alone', () => {
    const more = registry.with({ accessors: [plugin('mine', {})] })
    expect(more.select({ force: 'mine' }).chosen).toBe('mine')
    expect(more.select().chosen).toBe('vmap-direct')
    expect(more.select().rejected.at(-1)).toEqual({
      name: 'mine',
      reason: 'would work; vmap-direct comes first in preference',
    })
    expect(registry.accessors).toHaveLength(preference.length)
  })

  it('brings backends that make a new instance for each queue', () => {
    const built = createRegistry()
    for (const backend of built.backends) {
      expect(backend.create().name).toBe(backend.name)
      expect(backend.create()).not.toBe(backend.create())
    }
    expect(() => built.backend('xdp')).toThrow('did you mean xdp1?')
  })
})
