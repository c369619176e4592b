import { describe, expect, it } from 'vitest'
import { eraOption } from '../uaccess/era.ts'
import type { Accessor, AccessorContext } from './accessor.ts'
import type { AccessorOptions } from './accessor-options.ts'
import { type AccessorSupports, supportsOf } from './accessor-supports.ts'
import { type AccessorDefinition, defineAccessor, isAccessorPlugin } from './define-accessor.ts'

const supports = {
  fileBacked: true,
  iotlb: false,
  noIotlb: true,
  needsMmuNotifier: false,
  needsPrefetch: false,
  speculationSafe: true,
  fallsBack: false,
}
const definition: AccessorDefinition = {
  name: 'my-way',
  apiVersion: 1,
  description: 'of this test',
  supports,
  options: [eraOption],
  create: () => ({}) as Accessor,
}
const context = {} as AccessorContext

describe('defineAccessor', () => {
  it('brands and freezes', () => {
    const plugin = defineAccessor(definition)
    expect(isAccessorPlugin(plugin)).toBe(true)
    expect(isAccessorPlugin({ ...definition })).toBe(false)
    expect(isAccessorPlugin(null)).toBe(false)
    expect(Object.isFrozen(plugin) && Object.isFrozen(plugin.supports) && Object.isFrozen(plugin.options)).toBe(true)
  })

  it.each([
    ['name', { name: 'My Way' }],
    ['apiVersion', { apiVersion: 0 }],
    ['create', { create: undefined }],
    ['supports.fallsBack', { supports: { ...supports, fallsBack: undefined } }],
    ['supports.fileBacked', { supports: undefined }],
  ])('refuses a wrong %s and names it', (field, wrong) => {
    expect(() => defineAccessor({ ...definition, ...wrong } as AccessorDefinition)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_PLUGIN', field }),
    )
  })

  it.each([
    ['supports of option era', { '2018': { fallsBack: true } }],
    ['supports of option era', { '2019': { fallsBack: true } }],
    ['supports.needs of era=6.18', { '6.18': { needs: true } }],
    ['supports.iotlb of era=6.18', { '6.18': { iotlb: 1 } }],
  ])('refuses a wrong %s, and names it', (field, wrong) => {
    const options = [{ ...eraOption, supports: wrong as unknown as Record<string, Partial<AccessorSupports>> }]
    expect(() => defineAccessor({ ...definition, options })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_PLUGIN', field }),
    )
  })

  it('supports what it says of the chosen values, and of the defaults beside them', () => {
    const option = { name: 'way', values: ['copy', 'map'], default: 'copy', description: 'of this test' }
    const plugin = defineAccessor({
      ...definition,
      options: [eraOption, { ...option, supports: { map: { needsMmuNotifier: true, fallsBack: true } } }],
    })
    expect(supportsOf(plugin, {})).toEqual(supports)
    expect(supportsOf(plugin, { way: 'copy', era: '6.18' })).toEqual(supports)
    expect(supportsOf(plugin, { way: 'map' })).toEqual({ ...supports, needsMmuNotifier: true, fallsBack: true })
  })

  it('creates with every option resolved', () => {
    const seen: AccessorOptions[] = []
    const plugin = defineAccessor({
      ...definition,
      create(_context, options) {
        seen.push(options)
        return {} as Accessor
      },
    })
    plugin.create(context, {})
    plugin.create(context, { era: '6.18' })
    expect(seen).toEqual([{ era: '2019' }, { era: '6.18' }])
  })

  it('refuses an option it does not have and a value that is not accepted', () => {
    const plugin = defineAccessor(definition)
    expect(() => plugin.create(context, { eon: '2019' })).toThrow(expect.objectContaining({ code: 'ERR_UNKNOWN_NAME' }))
    expect(() => plugin.create(context, { era: '2018' })).toThrow(
      'accessor my-way: era is "2018"; accepted: 2019, 6.18, 2025-checked',
    )
  })
})
