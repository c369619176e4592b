import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createRegistry } from '@vring/registry'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT_MISSING, EXIT_USAGE } from '../exit-codes.ts'
import type { ServeError } from '../serve-error.ts'
import { OPTIONS } from './arguments.ts'
import { parseBytes, parseMetricsAddress, resolveConfig } from './config.ts'
import { DEFAULT_MEMORY, type ServeConfig } from './serve-config.ts'
import { parseSettings } from './settings.ts'

const chosen = createRegistry().select({ speculationSafe: true }).chosen
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

  const device: ServeConfig = {
    name: '',
    socket: '/run/a.sock',
    fd: null,
    role: 'server',
    socketMode: null,
    socketGroup: null,
    accessor: { name: chosen, options: {} },
    plugins: [],
    backend: { kind: 'drop' },
    xdp: null,
    fixOffloads: false,
    mtu: null,
    replay: { pace: 'recorded', loop: false, maxGapMs: 10_000 },
    captures: [],
    queuePairs: 1,
    announce: false,
    threads: 1,
    memory: DEFAULT_MEMORY,
  }
  const log = { level: 'info', format: 'text' }

  test('has defaults for all but socket and backend; the accessor is one that misprediction does not harm', async () => {
    const expected = { devices: [device], metrics: null, control: null, log, user: null }
    expect(await resolveConfig(least)).toEqual(expected)
    expect(await resolveConfig({ 'socket-path': least.socket, backend: 'drop' })).toEqual(expected)
    expect(createRegistry().accessor(chosen).supports.speculationSafe).toBe(true)
  })

  test('arguments come before the file that they name', async () => {
    const config = file({ ...least, queues: 4, client: true, accessor: 'copy-checked', metrics: '[::1]:9101', mtu: 68 })
    const given = {
      config,
      queues: '2',
      backend: 'tap:t0',
      xdp: 'xdp1',
      mtu: '9000',
      control: '/run/c',
      user: 'nobody',
    }
    expect(await resolveConfig({ ...given, 'log-level': 'debug', 'log-format': 'json' })).toEqual({
      devices: [
        {
          ...device,
          role: 'client',
          accessor: { name: 'copy-checked', options: {} },
          backend: { kind: 'tap', name: 't0' },
          ...{ xdp: 'xdp1', mtu: 9000, queuePairs: 2 },
        },
      ],
      metrics: { host: '::1', port: 9101 },
      control: '/run/c',
      log: { level: 'debug', format: 'json' },
      user: 'nobody',
    })
  })

  test('a descriptor stands for a path, also one that a service manager hands over', async () => {
    expect(await resolveConfig({ fd: '7', backend: 'drop' })).toMatchObject({
      devices: [{ fd: 7, socket: 'descriptor 7' }],
    })
    expect(await resolveConfig({ backend: 'drop' }, 3)).toMatchObject({ devices: [{ fd: 3 }] })
    expect(await resolveConfig(least, 3)).toMatchObject({ devices: [{ fd: null }] })
  })

  test('several devices have names and sockets of their own', async () => {
    const devices = [
      { name: 'one', socket: '/run/1', backend: 'tap:t1', 'socket-mode': '0660' },
      { name: 'two', socket: '/run/2', backend: 'loopback', queues: 2 },
    ]
    expect(await resolveConfig({ config: file({ devices, metrics: '127.0.0.1:1' }) })).toMatchObject({
      devices: [
        { name: 'one', socketMode: 0o660, backend: { kind: 'tap', name: 't1' } },
        { name: 'two', queuePairs: 2 },
      ],
    })
  })

  const one = { name: 'one', socket: '/run/1', backend: 'drop' }
  test.each([
    [{ devices: [] }, /devices: is empty/],
    [{ devices: [one, { ...one, socket: '/run/2' }] }, /device one: has the name one of device one/],
    [{ devices: [one, { ...one, name: 'two' }] }, /device two: has the socket \/run\/1 of device one/],
    [
      { devices: [one, { name: 'bad', socket: 'x', backend: 'tapp:x' }] },
      /config\.json:1:\d+: device bad: --backend: "tapp:x" is unknown.*did you mean tap/,
    ],
    [
      { devices: [one, { name: 'bad', socket: 'x', backnd: 'drop' }] },
      /config\.json:1:\d+: devices\[1\]\.backnd: unknown; .*did you mean backend\?/,
    ],
    [{ devices: [{ socket: 'x', backend: 'drop' }] }, /devices\[0\]\.name: is missing; accepted: 1 to 64 letters/],
    [
      { devices: [{ ...one, metrics: '[::1]:1' }] },
      /devices\[0\]\.metrics: is that of the daemon, beside its devices; accepted: /,
    ],
    [{ devices: [{ ...one, name: 'a b' }] }, /devices\[0\]\.name: "a b" is not accepted; accepted: 1 to 64 letters/],
    [{ devices: [one], backend: 'drop' }, /--backend: is that of a device; accepted: in the list/],
  ])('devices %j are refused by name', async (content, message) => {
    const [code, text] = await refusal(() => resolveConfig({ config: file(content) }))
    expect([code, text]).toEqual([EXIT_USAGE, expect.stringMatching(message)])
  })

  test('an accessor of another package serves by its own name, from arguments and from a file', async () => {
    const url = pathToFileURL(join(import.meta.dirname, '../../../../packages/accessor-template/src/index.ts')).href
    const named = { ...least, accessor: 'template', plugin: [url] }
    for (const given of [named, { config: file(named) }])
      expect(await resolveConfig(given)).toMatchObject({
        devices: [{ accessor: { name: 'template' }, plugins: [url] }],
      })
    // Not chosen unless it is named.
    expect(await resolveConfig({ ...least, plugin: [url] })).toMatchObject({
      devices: [{ accessor: { name: chosen } }],
    })
  })

  test('no plugin takes a name that --backend knows', async () => {
    const path = join(folder, 'tap.mjs')
    const supports = '{ inPlace: true, xdp: false, privileged: false, receives: false }'
    writeFileSync(
      path,
      `export default { [Symbol.for('vring.backend-plugin')]: true, name: 'tap', apiVersion: 1, description: 'a tap', supports: ${supports}, create() {} }`,
    )
    const [code, text] = await refusal(() => resolveConfig({ ...least, plugin: [path] }))
    expect([code, text]).toEqual([
      EXIT_USAGE,
      expect.stringMatching(/--plugin: .*its name, tap, is that of one that the program has/),
    ])
  })

  test.each([
    [{ backend: 'drop' }, /^--socket: missing/],
    [{ socket: 'a' }, /^--backend: missing/],
    [
      { ...least, accessor: 'vmap-dirct' },
      /^--accessor: accessor "vmap-dirct" is unknown; .*did you mean vmap-direct\?/,
    ],
    [{ ...least, queues: '0' }, /^--queues: 0 is not accepted; accepted: an integer from 1 to 128/],
    [{ ...least, queues: '129' }, /^--queues: /],
    [{ ...least, threads: '2' }, /^--threads: is 2; accepted: 1 to 1, the queue pairs that --queues gives them/],
    [{ ...least, queues: '4', threads: '5' }, /^--threads: is 5; accepted: 1 to 4, /],
    [{ ...least, threads: '0' }, /^--threads: 0 is not accepted; accepted: an integer from 1 to 128/],
    [
      { ...least, backend: 'pcap:x', queues: '2', threads: '2', capture: ['x_pair1,pair=1'] },
      /^--capture: another capture goes to x_pair1; accepted: a file for each/,
    ],
    [
      { ...least, queues: '2', threads: '2', accessor: 'iotlb-translated' },
      /^--threads: is 2, and an IOTLB is one thread's; accepted: 1, or another --accessor/,
    ],
    [{ ...least, queues: '1e1' }, /^--queues: /],
    [{ ...least, backend: 'loopback', xdp: 'xdp1' }, /^--xdp: is for drop, tap:NAME; the backend is loopback/],
    [{ ...least, mtu: '1500' }, /^--mtu: is for tap:NAME; the backend is drop/],
    [{ ...least, backend: 'tap:t', mtu: '67' }, /^--mtu: 67 is not accepted; accepted: an integer from 68 to 65521/],
    [{ ...least, loop: true as const }, /^--loop: is for replay:FILE; the backend is drop/],
    [{ ...least, 'max-gap': '3' }, /^--max-gap: is for replay:FILE; the backend is drop/],
    [
      { ...least, backend: 'replay:a', 'max-gap': '1e9' },
      /^--max-gap: "1e9" is not accepted; accepted: seconds, 0 to 86400/,
    ],
    [{ ...least, capture: ['a.pcapng,pair=1'] }, /^--capture: pair=1 is not served; accepted: 0 to 0/],
    [
      { ...least, capture: ['a,dir=rx', 'a,dir=tx'] },
      /^--capture: another capture goes to a; accepted: a file for each/,
    ],
    [{ ...least, backend: 'pcap:a', capture: ['a,dir=rx'] }, /^--capture: another capture goes to a/],
    [{ ...least, backend: 'replay:a', pace: 'slow' }, /^--pace: "slow" is unknown; accepted: recorded, asap/],
    [{ ...least, backend: 'replay:a', pace: 'asp' }, /^--pace: "asp" is unknown; .*; did you mean asap\?/],
    [{ ...least, accessor: 'copy-checked:era=2020' }, /^--accessor: copy-checked:era "2020" is unknown; accepted: /],
    [
      { ...least, accessor: 'copy-checked:eras=6.18' },
      /^--accessor: option of copy-checked "eras" is unknown; .*mean era/,
    ],
    [
      { ...least, accessor: 'copy-checked:era' },
      /^--accessor: setting of copy-checked is "?era"?; accepted: option=value/,
    ],
    [{ ...least, 'socket-path': '/x' }, /^--socket-path: is given beside --socket/],
    [{ ...least, fd: '3' }, /^--fd: is given beside a path/],
    [{ fd: '3', backend: 'drop', client: true as const }, /^--client: connects to a path/],
    [{ ...least, 'socket-mode': 'rw' }, /^--socket-mode: "rw" is not accepted; accepted: octal/],
    [{ ...least, client: true as const, 'socket-group': 'kvm' }, /^--socket-group: is for a socket that this makes/],
    [{ ...least, 'fix-offloads': true as const }, /^--fix-offloads: is for af-xdp/],
    [{ ...least, 'log-level': 'loud' }, /^--log-level: "loud" is unknown; accepted: error, warn, info, debug/],
    [{ ...least, plugin: ['./none.js'] }, /^--plugin: plugin \.\/none\.js: can't be loaded/],
    [{ ...least, metrics: 'nine' }, /^--metrics: "nine" is no address; accepted: HOST:PORT/],
  ])('%j is refused with exit code 2', async (given, message) => {
    const [code, text] = await refusal(() => resolveConfig(given))
    expect([code, text]).toEqual([EXIT_USAGE, expect.stringMatching(message)])
  })

  test.each([
    ['', /^--config: .*config.json:1:1: is no JSON: it ends too early$/],
    ['{ "socket": "a"', /config.json:1:16: is no JSON: it ends too early$/],
    ['{\n  "socket": "a",\n  "backend": drop\n}', /config.json:3:14: is no JSON: unexpected "drop"$/],
    ['{"socket": "a",}', /config.json:1:16: is no JSON: unexpected "\}"$/],
    ['{"socket": "a",\n "socket": "b"}', /config.json:2:2: socket is given twice$/],
    ['\uFEFF{"socket": "a"}', /^--backend: missing/],
    ['{"socket": "a",\n "backend": "dorp"}', /config.json:2:2: --backend: "dorp" is unknown; .*did you mean drop\?$/],
    [{ ...least, metrics: 'x' }, /config.json:1:\d+: --metrics: "x" is no address/],
    [{ ...least, name: 'x' }, /name: is that of a device in a list of devices; accepted: /],
    [{ ...least, sockt: 1 }, /config.json:1:\d+: sockt: unknown; accepted: socket, .*; did you mean socket\?/],
    [{ ...least, queues: 1.5 }, /config.json:1:\d+: queues: 1.5 is not accepted; accepted: an integer from 1 to 128/],
    [{ ...least, queues: 129 }, /config.json:1:\d+: queues: 129 is not accepted; accepted: an integer from 1 to 128/],
    [{ ...least, mtu: '1500' }, /: mtu: "1500" is not accepted; accepted: an integer from 68 to 65521/],
    [{ ...least, client: 'yes' }, /config.json:1:\d+: client: "yes" is not accepted; accepted: true or false/],
    [{ ...least, pace: 'fast' }, /config.json:1:\d+: pace: "fast" is unknown; accepted: recorded, asap/],
    [{ ...least, plugin: 'a' }, /config.json:1:\d+: plugin: "a" is not accepted; accepted: a list of texts/],
    [
      { ...least, plugin: [''] },
      /config.json:1:\d+: plugin\[0\]: "" is not accepted; accepted: text that is not empty/,
    ],
    [{ ...least, socket: 1 }, /config.json:1:\d+: socket: 1 is not accepted; accepted: text/],
    [[], /config.json:1:\d+: the settings: \[\] is not accepted; accepted: an object/],
  ])('the file %j is refused with exit code 2', async (content, message) => {
    const path = file(content)
    const [code, text] = await refusal(() => resolveConfig({ config: path }))
    expect([code, text]).toEqual([EXIT_USAGE, expect.stringMatching(message)])
  })

  test('a file that is missing is exit code 4', async () => {
    const [code, text] = await refusal(() => resolveConfig({ config: join(folder, 'none.json') }))
    expect([code, text]).toEqual([
      EXIT_MISSING,
      expect.stringMatching(/^--config .*none.json: open: ENOENT \(.*none.json\); not there$/),
    ])
  })

  test('bytes are a number and a power of 1024', () => {
    expect(['4096', '512k', '64G', '1T'].map((text) => parseBytes('--memory-max', text))).toEqual([
      4096,
      2 ** 19,
      2 ** 36,
      2 ** 40,
    ])
    for (const text of ['', '0', '4095', '1.5G', '-1', '64GB', '99999T'])
      expect(() => parseBytes('--memory-max', text), text).toThrow('accepted: bytes from 4096, as in 512M or 64G')
  })

  test('every setting of the file is an argument', () => {
    const all = {
      ...least,
      ...{ client: true, accessor: 'a', plugin: ['p'], xdp: 'b', mtu: 9000, pace: 'asap', loop: true },
      ...{ queues: 3, threads: 2, metrics: 'c:1', 'max-gap': 0.5, capture: ['x.pcapng'], 'socket-path': 's', fd: 3 },
      ...{ 'socket-mode': '660', 'socket-group': 'g', user: 'u', control: 'c', 'fix-offloads': true, announce: true },
      ...{ 'log-level': 'debug', 'log-format': 'json', memory: 'any', 'require-sealed': true, 'memory-max': '64G' },
    }
    expect(Object.keys(all).sort()).toEqual(
      Object.keys(OPTIONS)
        .filter((name) => name !== 'config' && name !== 'print-capabilities')
        .sort(),
    )
    expect(parseSettings(JSON.stringify(all), 'x').settings).toEqual(all)
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
