import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { resolvePackage } from './resolve-package.ts'

describe('packages as a directory sees them', () => {
  let folder: string
  let inner: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-resolve-'))
    inner = join(folder, 'a', 'b')
    mkdirSync(inner, { recursive: true })
    const install = (name: string, manifest: object): void => {
      const root = join(folder, 'node_modules', name)
      mkdirSync(root, { recursive: true })
      writeFileSync(join(root, 'package.json'), JSON.stringify({ name, ...manifest }))
      for (const file of ['main.js', 'module.js']) writeFileSync(join(root, file), '')
    }
    install('plain', { main: 'main.js' })
    install('@scope/modern', { exports: { '.': { types: './t.d.ts', import: './module.js' } } })
    install('closed', { exports: { '.': { browser: './module.js' } } })
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const found = (name: string): string => resolvePackage(name, `${pathToFileURL(inner).href}/`)
  const at = (path: string): string => pathToFileURL(join(folder, 'node_modules', path)).href

  test('are found in the nearest node_modules above it', () => {
    expect(found('plain')).toBe(at('plain/main.js'))
  })

  test('are found when they are exported for import alone', () => {
    expect(found('@scope/modern')).toBe(at('@scope/modern/module.js'))
  })

  test('are not confused with files: a path begins with ./', () => {
    writeFileSync(join(inner, 'mine.mjs'), '')
    expect(() => found('mine.mjs')).toThrow('no package is named mine.mjs, but a file is there: ./mine.mjs')
  })

  test('that are missing, or export nothing to Node, are errors of Node', () => {
    expect(() => found('missing')).toThrow(/Cannot find module 'missing'/)
    expect(() => found('closed')).toThrow(/exports/)
  })
})
