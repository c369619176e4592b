import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { readCapture } from '@vring/backend-pcap'
import { UnixListener, UnixSocket, unsupportedHost } from '@vring/linux'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { DaemonProcess, type DaemonProcessOptions, until } from './daemon-process.ts'
import { TestDriver } from './test-driver.ts'

const reason = unsupportedHost()
/** Each starts daemons from their sources, on a machine that may have other work. */
const LIMIT_MS = 120_000
const METRICS = ['--metrics', '127.0.0.1:0']
const frames = (count: number): Uint8Array[] => Array.from({ length: count }, (_, i) => new Uint8Array(60).fill(i))

/** Says each command to a control socket and returns the answers. */
async function say(path: string, ...commands: unknown[]): Promise<Record<string, unknown>[]> {
  const socket = connect(path)
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
  const answers: Record<string, unknown>[] = []
  for (const command of commands) {
    socket.write(`${typeof command === 'string' ? command : JSON.stringify(command)}\n`)
    answers.push(JSON.parse((await lines.next()).value as string) as Record<string, unknown>)
  }
  socket.destroy()
  return answers
}

describe.skipIf(reason !== null)(`operating vring-serve${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  let daemon: DaemonProcess | undefined
  const path = (name: string): string => join(folder, name)
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring operate-'))
  })
  afterEach(async () => {
    if (daemon !== undefined && daemon.child.exitCode === null) await daemon.end('SIGKILL')
    daemon = undefined
    for (const name of readdirSync(folder)) rmSync(path(name))
  })
  afterAll(() => rmSync(folder, { recursive: true }))
  function run(args: readonly string[], options: DaemonProcessOptions = {}): DaemonProcess {
    daemon = new DaemonProcess(args, options)
    return daemon
  }

  test('several devices: commands and SIGHUP add, remove and show them, the others untouched; a bad one is named', {
    timeout: LIMIT_MS,
  }, async () => {
    const config = path('config.json')
    const device = (name: string, more = {}) => ({ name, socket: path(`${name}.sock`), backend: 'loopback', ...more })
    const configure = (...devices: unknown[]): void => writeFileSync(config, JSON.stringify({ devices }))
    // One that can't be started does not keep the others from being served.
    configure(device('one'), device('two', { queues: 2 }), device('lost', { backend: 'replay:/nonexistent.pcapng' }))
    const control = path('control.sock')
    const serve = run(['--config', config, '--control', control, ...METRICS])
    await serve.says(/error: lost: --backend: .*: ENOENT/)
    const driver = new TestDriver(path('one.sock'))
    const seen = async (): Promise<number> => {
      driver.send(frames(10))
      let got = 0
      await until('frames', () => {
        got += driver.receive().length
        return got >= 10
      })
      return got
    }
    expect(await seen()).toBe(10)
    expect(statSync(control).mode & 0o777).toBe(0o600)
    const [added, again, unknown, broken, shown] = await say(
      control,
      { command: 'add', device: device('three') },
      { command: 'add', device: device('three') },
      { command: 'remove', name: 'four' },
      '{',
      { command: 'show' },
    )
    expect(added).toEqual({ ok: true })
    expect(again).toMatchObject({ ok: false, error: expect.stringMatching(/three is served already/) })
    expect(unknown).toMatchObject({
      ok: false,
      error: expect.stringMatching(/"four" is not served; served: one, two, three/),
    })
    expect(broken).toMatchObject({ ok: false, error: expect.stringMatching(/no JSON/) })
    const names = (shown!['devices'] as { name: string }[]).map(({ name }) => name)
    expect(names).toEqual(['one', 'two', 'three'])
    // One who says no more, as nc -N, hears the answers, and then the end.
    const once = connect({ path: control, allowHalfOpen: true })
    once.end('{"command":"show"}\n{"command":"remove","name":"four"}\n')
    const answers: unknown[] = []
    for await (const line of createInterface({ input: once })) answers.push(JSON.parse(line))
    expect(answers).toMatchObject([{ ok: true }, { ok: false }])
    expect(await serve.metric('vring_connected{device="one"}')).toBe(1)
    expect(await serve.metric('vring_connected{device="three"}')).toBe(0)

    configure(
      device('one'),
      device('two', { queues: 4 }),
      device('bad', { socket: '/nonexistent/x.sock' }),
      device('four'),
    )
    serve.child.kill('SIGHUP')
    await serve.says(/error: bad: --socket: bind: ENOENT[\s\S]*read the configuration again: serving 3 devices/)
    expect(existsSync(path('three.sock'))).toBe(false)
    expect(existsSync(path('four.sock'))).toBe(true)
    writeFileSync(config, '{')
    serve.child.kill('SIGHUP')
    await serve.says(/is no JSON[\s\S]*the configuration stays as it was: serving 3 devices/)
    expect(await seen()).toBe(10)
    expect(await serve.metric('vring_sessions_total{device="one"}')).toBe(1)
    driver.close()
    expect(await serve.end('SIGTERM')).toBe(0)
    expect(readdirSync(folder)).toEqual(['config.json'])
  })

  test('a capture is switched on and off while frames flow', { timeout: LIMIT_MS }, async () => {
    const control = path('control.sock')
    const serve = run(['--socket', path('a.sock'), '--backend', 'loopback', '--control', control])
    await serve.says(/commands on[\s\S]*listening on/)
    const driver = new TestDriver(path('a.sock'))
    const pass = async (count: number): Promise<void> => {
      driver.send(frames(count))
      let got = 0
      await until('frames', () => {
        got += driver.receive().length
        return got >= count
      })
    }
    await pass(20)
    const file = path('trace.pcapng')
    const begun = await say(
      control,
      { command: 'capture', file: `${file},dir=tx` },
      { command: 'capture', file: `${file},dir=rx,overwrite` },
      { command: 'capture', file: `${file},pair=7` },
      { command: 'captur' },
    )
    expect(begun).toEqual([
      { ok: true },
      { ok: false, error: `capture: another capture goes to ${file}; accepted: a file for each` },
      { ok: false, error: 'file: pair=7 is not served; accepted: 0 to 0' },
      { ok: false, error: expect.stringMatching(/"captur" is unknown; accepted: show, .*; did you mean capture\?$/) },
    ])
    await pass(30)
    expect(await say(control, { command: 'capture-end', file }, { command: 'capture-end', file })).toEqual([
      { ok: true },
      { ok: false, error: `no capture goes to ${file}` },
    ])
    await pass(20)
    expect(readCapture(new Uint8Array(readFileSync(file))).packets.length).toBe(30)
    expect(await say(control, { command: 'capture', file })).toEqual([
      { ok: false, error: expect.stringMatching(/EEXIST/) },
    ])
    await pass(5)
    driver.close()
    expect(await serve.end('SIGTERM')).toBe(0)
  })

  test('captures of all pairs of two threads are a file of each pair: begun together or not at all, ended by the one name', {
    timeout: LIMIT_MS,
  }, async () => {
    const control = path('control.sock')
    const shared = ['--queues', '2', '--threads', '2', '--control', control]
    const serve = run(['--socket', path('a.sock'), '--backend', `pcap:${path('sent.pcapng')}`, ...shared])
    await serve.says(/commands on[\s\S]*listening on/)
    const of = (name: string, pair: number): string => path(`${name}_pair${pair}.pcapng`)
    const packets = (file: string): number => readCapture(new Uint8Array(readFileSync(file))).packets.length
    // The file of pair 1 is there: that of pair 0 is ended again.
    writeFileSync(of('half', 1), '')
    const [half, ...said] = await say(
      control,
      { command: 'capture', file: path('half.pcapng') },
      { command: 'capture-end', file: of('half', 0) },
      { command: 'capture', file: path('beside.pcapng') },
      { command: 'capture', file: path('beside.pcapng') },
    )
    expect(half).toEqual({ ok: false, error: expect.stringMatching(/half_pair1.pcapng can't be created: EEXIST/) })
    expect(said).toEqual([
      { ok: false, error: `no capture goes to ${of('half', 0)}` },
      { ok: true },
      { ok: false, error: expect.stringMatching(/another capture goes to .*beside_pair0.pcapng/) },
    ])
    const driver = new TestDriver(path('a.sock'))
    driver.send(frames(20))
    await until('frames', () => driver.sent() === 20)
    driver.close()
    const end = { command: 'capture-end', file: path('beside.pcapng') }
    expect((await say(control, end, end)).map(({ ok }) => ok)).toEqual([true, false])
    expect(await serve.end('SIGTERM')).toBe(0)
    expect([0, 1].map((pair) => [packets(of('sent', pair)), packets(of('beside', pair))])).toEqual([
      [20, 20],
      [0, 0],
    ])
  })

  test('a socket that is handed over: listening by --fd and LISTEN_FDS, connected for one session', {
    timeout: LIMIT_MS,
  }, async () => {
    const listener = UnixListener.listen(path('given.sock'))
    const activated = ['bash', '-c', 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', '--']
    const config = path('handed.json')
    const configure = (queues: number): void => writeFileSync(config, JSON.stringify({ backend: 'loopback', queues }))
    for (const [args, options] of [
      [['--fd', '3', '--backend', 'loopback'], {}],
      [['--config', config], { by: activated }],
    ] as const) {
      configure(1)
      const serve = run([...args], { fds: [listener.fd], ...options })
      await serve.says(/listening on descriptor 3/)
      if ('by' in options) {
        // It serves the same socket after its configuration has changed.
        configure(2)
        serve.child.kill('SIGHUP')
        await serve.says(/listening on descriptor 3.*2 queue pairs[\s\S]*read the configuration again/)
      }
      const driver = new TestDriver(path('given.sock'))
      driver.send(frames(3))
      await until('frames', () => driver.sent() === 3)
      driver.close()
      expect(await serve.end('SIGTERM')).toBe(0)
      expect(existsSync(path('given.sock'))).toBe(true)
    }
    listener.close()
    const [ours, its] = UnixSocket.pair()
    const serve = run(['--fd=3', '--backend', 'drop'], { fds: [its.fd] })
    await serve.says(/listening on descriptor 3/)
    its.close()
    const driver = new TestDriver(ours)
    driver.send(frames(3))
    await until('frames', () => driver.sent() === 3)
    driver.close()
    // The only session that there can be is over.
    expect(await serve.exit()).toBe(0)
  })

  test('the socket has the mode that was asked for; what is there and is no socket stays', {
    timeout: LIMIT_MS,
  }, async () => {
    const serve = run(['--socket-path', path('m.sock'), '--socket-mode', '0620', '--backend', 'drop'])
    await serve.ready()
    expect(statSync(path('m.sock')).mode & 0o777).toBe(0o620)
    expect(await serve.end('SIGTERM')).toBe(0)
    writeFileSync(path('file'), 'precious')
    const refused = run(['--socket', path('file'), '--backend', 'drop'])
    expect(await refused.exit()).toBe(2)
    expect(refused.output).toMatch(/--socket: path is .*which is a regular file; accepted: a path where nothing is/)
    expect(readFileSync(path('file'), 'utf8')).toBe('precious')
  })

  test('the log is JSON where that is asked for, and has a line for a session and for what is lost', {
    timeout: LIMIT_MS,
  }, async () => {
    const quiet = ['--log-format', 'json', '--log-level', 'info']
    const serve = run(['--socket', path('l.sock'), '--backend', 'drop', ...quiet])
    await serve.says(/listening/)
    const driver = new TestDriver(path('l.sock'))
    await serve.says(/the driver runs \d+ rings of 256/)
    driver.close()
    await serve.says(/hung up/)
    expect(await serve.end('SIGTERM')).toBe(0)
    const lines = serve.output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { level: string; message: string })
    expect(lines.every(({ level }) => level === 'info')).toBe(true)
    const messages = lines.map(({ message }) => message).join('\n')
    expect(messages).toContain(`a driver connected: pid ${process.pid}, uid ${process.getuid!()}`)
    expect(messages).toContain('VIRTIO_F_VERSION_1 (32)')
  })

  test('--print-capabilities is JSON, whatever else is given', async () => {
    const { capabilities } = await import('../src/daemon/launch.ts')
    expect(JSON.parse(capabilities())).toEqual({ type: 'net' })
    const manifest = JSON.parse(readFileSync(new URL('../vhost-user/50-vring-serve.json', import.meta.url), 'utf8'))
    expect(manifest).toMatchObject({ type: 'net', binary: expect.stringMatching(/^\//) })
  })
})
