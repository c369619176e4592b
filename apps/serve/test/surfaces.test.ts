import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemErrnoOf, UnixSocket, unsupportedHost } from '@vring/linux'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { DaemonProcess, until } from './daemon-process.ts'

const reason = unsupportedHost()

/** Sockets on which a process listens, as /proc shows them: lines of its network namespace in state LISTEN that it holds. */
function listeningSockets(pid: number): number {
  const held = new Set(
    readdirSync(`/proc/${pid}/fd`).map((fd) =>
      spawnSync('readlink', [`/proc/${pid}/fd/${fd}`])
        .stdout.toString()
        .trim(),
    ),
  )
  return readFileSync(`/proc/${pid}/net/tcp`, 'utf8')
    .split('\n')
    .filter((line) => / 0A /.test(line) && held.has(`socket:[${line.trim().split(/\s+/)[9]}]`)).length
}

/** Connects and hangs up; false: there was no place. */
function connects(path: string): boolean {
  try {
    UnixSocket.connect(path).close()
    return true
  } catch (error) {
    if (systemErrnoOf(error) === 'EAGAIN') return false
    throw error
  }
}

describe.skipIf(reason !== null)(
  `what every process can reach${reason === null ? '' : ` (skipped: ${reason})`}`,
  () => {
    let folder: string
    let daemon: DaemonProcess | undefined
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'vring-surface-'))
    })
    afterEach(async () => {
      if (daemon !== undefined && daemon.child.exitCode === null) await daemon.end('SIGKILL')
      daemon = undefined
    })
    afterAll(() => rmSync(folder, { recursive: true }))

    async function start(...args: string[]): Promise<[DaemonProcess, string]> {
      const socket = join(folder, `${Math.random()}.sock`)
      daemon = new DaemonProcess(['--socket', socket, '--backend', 'loopback', ...args])
      await daemon.ready()
      return [daemon, socket]
    }

    test.each([
      ['a network device', [], 'stopped; 0 sessions'],
      ['a block device', ['block'], 'stopped; 0 reads'],
    ])(
      'signals end %s cleanly, twice and by a terminal that goes; SIGUSR1 opens no debugger',
      async (_, kind, last) => {
        const socket = join(folder, 'signals.sock')
        const file = join(folder, 'disk')
        writeFileSync(file, Buffer.alloc(4096))
        const what = kind.length === 0 ? ['--backend', 'loopback'] : ['--file', file]
        const serve = new DaemonProcess([...kind, '--socket', socket, ...what])
        daemon = serve
        await serve.ready()
        serve.child.kill('SIGUSR1')
        await new Promise((resolve) => setTimeout(resolve, 300))
        expect(listeningSockets(serve.child.pid!)).toBe(0)
        serve.child.kill('SIGHUP')
        serve.child.kill('SIGTERM')
        serve.child.kill('SIGHUP')
        expect(await serve.end('SIGTERM')).toBe(0)
        expect(existsSync(socket)).toBe(false)
        expect(serve.output).not.toContain('ebugger')
        expect(serve.output).toContain(last)
      },
    )

    test('connections that ask nothing are ended when there are many, and all that ask are answered', async () => {
      const [serve] = await start('--metrics', '127.0.0.1:0')
      const [, url] = await serve.says(/metrics on (\S+)\n/)
      // A scraper that has seen the socket of a device finds the page.
      expect(serve.output.indexOf('metrics on')).toBeLessThan(serve.output.indexOf('listening on'))
      const { port } = new URL(url!)
      const idle: Socket[] = []
      let ended = 0
      for (let i = 0; i < 100; i++) {
        const socket = connect(Number(port), '127.0.0.1')
        socket.on('error', () => {})
        socket.on('close', () => ended++)
        await once(socket, 'connect')
        // Half of them begin to ask and go on for ever.
        if (i % 2 === 0) socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\nX-')
        idle.push(socket)
      }
      expect(await serve.metric('vring_connected')).toBe(0)
      await until('few connections', () => ended >= 84)
      // The rest have their time, and no more.
      await until('no connection', () => ended === 100, 10_000)
      for (const socket of idle) socket.destroy()
      // Those that ask are many more than may be idle: each is answered.
      const asked = Array.from({ length: 60 }, () => serve.metric('vring_connected'))
      expect(await Promise.all(asked)).toEqual(asked.map(() => 0))
      expect(await serve.end('SIGTERM')).toBe(0)
    })

    test('a standard error without a reader holds neither start, drivers nor end', async () => {
      const path = join(folder, 'stderr')
      spawnSync('mkfifo', [path])
      const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
      const full = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
      try {
        for (;;) writeSync(full, Buffer.alloc(4096))
      } catch {
        // EAGAIN: not one byte more.
      }
      const stderr = openSync(path, constants.O_WRONLY)
      const socket = join(folder, 'unread.sock')
      const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url))
      const flags = ['--import', 'tsx', '--conditions=@vring/source', cli]
      const child = spawn(process.execPath, [...flags, '--socket', socket, '--backend', 'drop'], {
        stdio: ['ignore', 'ignore', stderr],
        cwd: fileURLToPath(new URL('../../..', import.meta.url)),
      })
      const exited = once(child, 'exit')
      await until('the socket', () => existsSync(socket))
      for (let i = 0; i < 20; i++) {
        // EAGAIN: those who came before wait to be accepted.
        await until('a place in its queue', () => connects(socket))
      }
      child.kill('SIGTERM')
      expect((await exited)[0]).toBe(0)
      for (const fd of [reader, full, stderr]) closeSync(fd)
    })
  },
)
