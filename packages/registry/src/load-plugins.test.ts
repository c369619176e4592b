import { isVringError } from '@vring/layout'
import { describe, expect, test } from 'vitest'
import { createRegistry } from './built-in.ts'
import { loadPlugins } from './load-plugins.ts'

const from = 'file:///nowhere/'
const module = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`
const accessor = (name: string, tail = ''): string =>
  module(`export default { [Symbol.for('vring.accessor-plugin')]: true, name: '${name}', apiVersion: 2,
    description: '', options: [], create() {}, supports: { fileBacked: true, iotlb: false, noIotlb: true,
    needsMmuNotifier: false, needsPrefetch: false, speculationSafe: false, fallsBack: true } }${tail}`)
const backend = (name: string, apiVersion = 1): string =>
  module(`export const backend = { [Symbol.for('vring.backend-plugin')]: true, name: '${name}', apiVersion: ${apiVersion},
    description: '', supports: { inPlace: true, xdp: false, privileged: false, receives: false }, create() {} }`)

async function refusal(specs: readonly string[], limitMs = 10_000): Promise<string> {
  try {
    await loadPlugins(specs, createRegistry(), { from, limitMs, reserved: ['baseline'] })
  } catch (error) {
    if (isVringError(error) && error.code === 'ERR_INVALID_PLUGIN')
      return error.message.replace(/data:\S*?(?=:? )/g, 'IT')
    throw error
  }
  throw new Error('they were loaded')
}

describe('plugins of a program', () => {
  test('are accessors and backends, after the built-in ones', async () => {
    const registry = await loadPlugins([accessor('mine'), backend('mine')], createRegistry(), { from })
    expect(registry.accessors.at(-1)!.name).toBe('mine')
    expect(registry.backends.at(-1)!.name).toBe('mine')
  })

  test('never take the name of a built-in one, of one of the program itself, or of one another', async () => {
    expect(await refusal([accessor('copy-checked')])).toBe(
      'plugin IT: its name, copy-checked, is that of a built-in one; accepted: another name',
    )
    expect(await refusal([backend('xdp1')])).toMatch(/its name, xdp1, is that of a built-in one/)
    expect(await refusal([accessor('baseline')])).toMatch(
      /its name, baseline, is that of one that the program has itself/,
    )
    expect(await refusal([accessor('mine'), accessor('mine', '\n')])).toMatch(/its name, mine, is that of plugin IT/)
  })

  test('that never load, export a promise, throw, or speak another contract are named', async () => {
    expect(await refusal([module('await new Promise(() => {})')], 50)).toBe(
      'plugin IT: is not loaded after 50 ms: its module waits for something',
    )
    expect(await refusal([module('export const accessor = Promise.resolve(1)')])).toMatch(/exports a promise/)
    expect(await refusal([module('throw new Error("broken inside")')])).toMatch(/can't be loaded: broken inside/)
    expect(await refusal([backend('mine', 2)])).toMatch(/backend contract 2; this release speaks 1/)
  })
})
