import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRegistry } from '@vring/registry'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseMetricsAddress, parseSettings, resolveConfig } from './config.ts'
import { EXIT_MISSING, EXIT_USAGE } from './exit-codes.ts'
import type { ServeError } from './serve-error.ts'

const registry = createRegistry()
const least = { socket: '/run/a.sock', backend: 'drop' }

function refusal(run: () => unknown): [number, string] {
  try {
    run()
  } catch (error) {
    return [(error as ServeError).exitCode, (error as ServeError).message]
  }
  throw new Error('it was not refused')
}

describe('configuration', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-serve-config-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  function file(content: unknown): string {
    const path = join(folder, 'config.json')
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
    return path
  }

  test('has defaults for all but socket and backend', () => {
    expect(resolveConfig(least, registry)).toEqual({
      socket: '/run/a.sock',
      role: 'server',
      accessor: 'vmap-direct',
      backend: { kind: 'drop' },
      xdp: null,
      queuePairs: 1,
      metrics: null,
    })
  })

  test('arguments come before the file that they name', () => {
    const config = file({ ...least, queues: 4, client: true, accessor: 'copy-checked', metrics: '[::1]:9101' })
    expect(resolveConfig({ config, queues: '2', backend: 'tap:t0', xdp: 'xdp1' }, registry)).toEqual({
      socket: '/run/a.sock',
      role: 'client',
      accessor: 'copy-checked',
      backend: { kind: 'tap', name: 't0' },
      xdp: 'xdp1',
      queuePairs: 2,
      metrics: { host: '::1', port: 9101 },
    })
  })

  test.each([
    [{ backend: 'drop' }, /^--socket: missing/],
    [{ socket: 'a' }, /^--backend: missing/],
    [
      { ...least, accessor: 'vmap-dirct' },
      /^--accessor: accessor "vmap-dirct" is unknown; .*did you mean vmap-direct\?/,
    ],
    [{ ...least, queues: '0' }, /^--queues: "0" is not accepted; accepted: 1 to 128/],
    [{ ...least, queues: '129' }, /^--queues: /],
    [{ ...least, queues: '1e1' }, /^--queues: /],
    [{ ...least, backend: 'loopback', xdp: 'xdp1' }, /^--xdp: runs in front of drop and on a tap/],
    [{ ...least, metrics: 'nine' }, /^--metrics: "nine" is no address; accepted: HOST:PORT/],
  ])('%j is refused with exit code 2', (given, message) => {
    const [code, text] = refusal(() => resolveConfig(given, registry))
    expect([code, text]).toEqual([EXIT_USAGE, expect.stringMatching(message)])
  })

  test.each([
    ['{', /^--config: .*config.json is no JSON: /],
    [{ ...least, sockt: 1 }, /config.json: sockt: unknown; accepted: socket, .*; did you mean socket\?/],
    [{ ...least, queues: 1.5 }, /config.json: queues: /],
    [{ ...least, queues: 129 }, /config.json: queues: .*128/],
    [{ ...least, client: 'yes' }, /config.json: client: .*boolean/],
    [[], /config.json: the file: .*object/],
  ])('the file %j is refused with exit code 2', (content, message) => {
    const path = file(content)
    const [code, text] = refusal(() => resolveConfig({ config: path }, registry))
    expect([code, text]).toEqual([EXIT_USAGE, expect.stringMatching(message)])
  })

  test('a file that is missing is exit code 4', () => {
    const [code, text] = refusal(() => resolveConfig({ config: join(folder, 'none.json') }, registry))
    expect([code, text]).toEqual([EXIT_MISSING, expect.stringMatching(/^--config: ENOENT/)])
  })

  test('every setting of the file is an argument', () => {
    const all = { ...least, client: true, accessor: 'a', xdp: 'b', queues: 3, metrics: 'c:1' }
    expect(parseSettings(JSON.stringify(all), 'x')).toEqual(all)
  })

  test.each([
    ['127.0.0.1:9101', { host: '127.0.0.1', port: 9101 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
    ['[::]:65535', { host: '::', port: 65_535 }],
  ])('--metrics %s', (text, address) => {
    expect(parseMetricsAddress(text)).toEqual(address)
  })

  test.each(['9101', ':9101', 'a:65536', '::1:9101', 'a:', '[a b]:1'])('--metrics %s is refused', (text) => {
    expect(refusal(() => parseMetricsAddress(text))[0]).toBe(EXIT_USAGE)
  })
})
