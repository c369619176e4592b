import { isVringError } from '@vring/layout'
import { describe, expect, it } from 'vitest'
import { loadPlugin } from './load-plugin.ts'

/** A module as a URL: what a plugin that bundles its own copy of the contract looks like from here. */
function moduleOf(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`
}

const PLUGIN = `{
  [Symbol.for('vring.accessor-plugin')]: true, name: 'theirs', apiVersion: 2, description: 'made elsewhere',
  supports: { fileBacked: true, iotlb: false, noIotlb: true, needsMmuNotifier: false, needsPrefetch: false,
    speculationSafe: false, fallsBack: true },
  options: [], create() {},
}`
const from = 'file:///nowhere/'

async function refusal(spec: string): Promise<string> {
  try {
    await loadPlugin(spec, { from })
  } catch (error) {
    if (isVringError(error) && error.code === 'ERR_INVALID_PLUGIN') return error.message
    throw error
  }
  throw new Error('it was loaded')
}

describe('plugin loading', () => {
  it('takes a default export or one named accessor, from another copy of the contract', async () => {
    for (const source of [`export default ${PLUGIN}`, `export const accessor = ${PLUGIN}`])
      expect(await loadPlugin(moduleOf(source), { from })).toMatchObject({
        kind: 'accessor',
        accessor: { name: 'theirs' },
      })
  })

  it('names the plugin and what is wrong with it', async () => {
    expect(await refusal(moduleOf('export const other = 1'))).toMatch(/neither a default export .* it exports other/)
    expect(await refusal(moduleOf('export {}'))).toMatch(/it exports nothing/)
    expect(await refusal(moduleOf('export default { name: "x" }'))).toMatch(
      /made neither by defineAccessor nor by defineBackend/,
    )
    expect(await refusal(moduleOf(`export default ${PLUGIN.replace('apiVersion: 2', 'apiVersion: 1')}`))).toMatch(
      /contract 1; this release speaks 2: windows are single accesses over areas desc, driver and device/,
    )
    expect(await refusal(moduleOf('function open() { throw new Error("broken inside") }\nopen()'))).toMatch(
      /can't be loaded: broken inside \(open at data:.*:1:25\)$/,
    )
    expect(await refusal(moduleOf('throw "no error"'))).toMatch(/can't be loaded: no error$/)
    expect(await refusal('./no-such-module.js')).toMatch(/^plugin \.\/no-such-module\.js: can't be loaded/)
  })

  it('says of a module that Node reads as CommonJS how it is told otherwise', async () => {
    for (const said of ["Unexpected token 'export'", 'Cannot use import statement outside a module'])
      expect(await refusal(moduleOf(`throw new SyntaxError(${JSON.stringify(said)})`))).toMatch(
        /read as CommonJS; accepted: "type": "module" in its package.json, or a name that ends in .mjs$/,
      )
  })

  it('asks the host first whether a module comes to an end, and does not import one that does not', async () => {
    const asked: unknown[] = []
    const tryModule = async (...call: unknown[]): Promise<string> => {
      asked.push(...call)
      return 'stands in spin'
    }
    await expect(loadPlugin('file:///loops.js', { from, limitMs: 70, tryModule })).rejects.toThrow(
      'plugin file:///loops.js: stands in spin',
    )
    expect(asked).toEqual(['file:///loops.js', 70])
  })

  it('looks relative paths up in the directory given, and packages as the host says', async () => {
    await expect(loadPlugin('./gone.js', { from: 'file:///somewhere/else/' })).rejects.toThrow(/somewhere\/else\/gone/)
    const asked: string[] = []
    const resolvePackage = (name: string, base: string): string => {
      asked.push(name, base)
      return moduleOf(`export default ${PLUGIN}`)
    }
    await loadPlugin('vring-accessor-theirs', { from, resolvePackage })
    expect(asked).toEqual(['vring-accessor-theirs', from])
  })
})
