import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OPTIONS } from './arguments.ts'
import { parseMetricsAddress, parseSettings, resolveConfig } from './config.ts'
import { EXIT_MISSING, EXIT_USAGE } from './exit-codes.ts'
import type { ServeError } from './serve-error.ts'

const least = { socket: '/run/a.sock', backend: 'drop' }

async function refusal(run: () => unknown): Promise<[number, string]> {
  try {
    await run()
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

  test('has defaults for all but socket and backend', async () => {
    expect(await resolveConfig(least)).toEqual({
      socket: '/run/a.sock',
      role: 'server',
      accessor: 'vmap-direct',
      plugins: [],
      backend: { kind: 'drop' },
      xdp: null,
      mtu: null,
      replay: { pace: 'recorded', loop: false, maxGapMs: 10_000 },
      captures: [],
      queuePairs: 1,
      metrics: null,
    })
  })

  test('arguments come before the file that they name', async () => {
    const config = file({ ...least, queues: 4, client: true, accessor: 'copy-checked', metrics: '[::1]:9101', mtu: 68 })
    expect(await resolveConfig({ config, queues: '2', backend: 'tap:t0', xdp: 'xdp1', mtu: '9000' })).toEqual({
      socket: '/run/a.sock',
      role: 'client',
      accessor: 'copy-checked',
      plugins: [],
      backend: { kind: 'tap', name: 't0' },
      xdp: 'xdp1',
      mtu: 9000,
      replay: { pace: 'recorded', loop: false, maxGapMs: 10_000 },
      captures: [],
      queuePairs: 2,
      metrics: { host: '::1', port: 9101 },
    })
  })

  test('an accessor of another package serves by its own name, from arguments and from a file', async () => {
    const url = pathToFileURL(join(import.meta.dirname, '../../../packages/accessor-template/src/index.ts')).href
    const named = { ...least, accessor: 'template', plugin: [url] }
    for (const given of [named, { config: file(named) }])
      expect(await resolveConfig(given)).toMatchObject({ accessor: 'template', plugins: [url] })
    // Not chosen unless it is named.
    expect(await resolveConfig({ ...least, plugin: [url] })).toMatchObject({ accessor: 'vmap-direct' })
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
    [{ ...least, mtu: '1500' }, /^--mtu: is that of a tap; the backend is drop/],
    [{ ...least, backend: 'tap:t', mtu: '67' }, /^--mtu: "67" is not accepted; accepted: 68 to 65521/],
    [{ ...least, loop: true as const }, /^--loop: is for replay:FILE; the backend is drop/],
    [{ ...least, 'max-gap': '3' }, /^--max-gap: is for replay:FILE; the backend is drop/],
    [
      { ...least, backend: 'replay:a', 'max-gap': '1e9' },
      /^--max-gap: "1e9" is not accepted; accepted: seconds, 0 to 86400/,
    ],
    [{ ...least, capture: ['a.pcapng,pair=1'] }, /^--capture: pair=1 is not served; accepted: 0 to 0/],
    [{ ...least, backend: 'replay:a', pace: 'slow' }, /^--pace: "slow" is not accepted; accepted: recorded, asap/],
    [{ ...least, plugin: ['./none.js'] }, /^--plugin: plugin \.\/none\.js: can't be loaded/],
    [{ ...least, metrics: 'nine' }, /^--metrics: "nine" is no address; accepted: HOST:PORT/],
  ])('%j is refused with exit code 2', async (given, message) => {
    const [code, text] = await refusal(() => resolveConfig(given))
    expect([code, text]).toEqual([EXIT_USAGE, expect.stringMatching(message)])
  })

  test.each([
    ['{', /^--config: .*config.json is no JSON: /],
    [{ ...least, sockt: 1 }, /config.json: sockt: unknown; accepted: socket, .*; did you mean socket\?/],
    [{ ...least, queues: 1.5 }, /config.json: queues: 1.5 is not accepted; accepted: a whole number from 1 to 128/],
    [{ ...least, queues: 129 }, /config.json: queues: 129 is not accepted; accepted: a whole number from 1 to 128/],
    [{ ...least, mtu: '1500' }, /: mtu: "1500" is not accepted; accepted: a whole number from 68 to 65521/],
    [{ ...least, client: 'yes' }, /config.json: client: "yes" is not accepted; accepted: true or false/],
    [{ ...least, pace: 'fast' }, /config.json: pace: "fast" is not accepted; accepted: recorded, asap/],
    [{ ...least, plugin: 'a' }, /config.json: plugin: "a" is not accepted; accepted: a list of texts/],
    [{ ...least, plugin: [''] }, /config.json: plugin.0: "" is not accepted; accepted: text that is not empty/],
    [{ ...least, socket: 1 }, /config.json: socket: 1 is not accepted; accepted: text/],
    [[], /config.json: the file: \[\] is not accepted; accepted: an object/],
  ])('the file %j is refused with exit code 2', async (content, message) => {
    const path = file(content)
    const [code, text] = await refusal(() => resolveConfig({ config: path }))
    expect([code, text]).toEqual([EXIT_USAGE, expect.stringMatching(message)])
  })

  test('a file that is missing is exit code 4', async () => {
    const [code, text] = await refusal(() => resolveConfig({ config: join(folder, 'none.json') }))
    expect([code, text]).toEqual([EXIT_MISSING, expect.stringMatching(/^--config: ENOENT/)])
  })

  test('every setting of the file is an argument', () => {
    const all = {
      ...least,
      ...{ client: true, accessor: 'a', plugin: ['p'], xdp: 'b', mtu: 9000, pace: 'asap', loop: true },
      ...{ queues: 3, metrics: 'c:1', 'max-gap': 0.5, capture: ['x.pcapng'] },
    }
    expect(Object.keys(all).sort()).toEqual(
      Object.keys(OPTIONS)
        .filter((name) => name !== 'config')
        .sort(),
    )
    expect(parseSettings(JSON.stringify(all), 'x')).toEqual(all)
  })

  test.each([
    ['127.0.0.1:9101', { host: '127.0.0.1', port: 9101 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
    ['[::]:65535', { host: '::', port: 65_535 }],
  ])('--metrics %s', (text, address) => {
    expect(parseMetricsAddress(text)).toEqual(address)
  })

  test.each(['9101', ':9101', 'a:65536', '::1:9101', 'a:', '[a b]:1'])('--metrics %s is refused', async (text) => {
    expect((await refusal(() => parseMetricsAddress(text)))[0]).toBe(EXIT_USAGE)
  })
})
