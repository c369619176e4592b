import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unsupportedHost } from '@vring/linux'
import { FrontendMemory } from '@vring/vhost-user'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { DaemonProcess, until } from './daemon-process.ts'
import { TestDriver } from './test-driver.ts'

const reason = unsupportedHost()
const GUEST_ELSEWHERE = 0x2_0000_0000

/** Frames of different lengths whose bytes say which they are. */
function frames(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => new Uint8Array(60 + ((i * 37) % 1400)).fill(i & 0xff))
}

/** Mappings that a process has of what drivers share. */
function shared(pid: number): number {
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8')
  return maps.split('\n').filter((line) => line.includes('memfd:vring-frontend')).length
}

describe.skipIf(reason !== null)(`two threads of one device${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  let daemon: DaemonProcess
  let socket: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-threads-'))
    socket = join(folder, 'vring.sock')
  })
  afterEach(async () => {
    if (daemon.child.exitCode === null) await daemon.end('SIGKILL')
    for (const name of readdirSync(folder)) rmSync(join(folder, name))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  async function start(...args: string[]): Promise<void> {
    const more = ['--queues', '2', '--threads', '2', '--metrics', '127.0.0.1:0']
    daemon = new DaemonProcess(['--socket', socket, ...more, ...args], { from: 'built' })
    await daemon.ready()
  }

  async function sendAndGetBack(driver: TestDriver): Promise<void> {
    const sent = frames(200)
    driver.send(sent)
    const back: Uint8Array[] = []
    await until('all frames back', () => {
      back.push(...driver.receive())
      return back.length === sent.length
    })
    expect(back).toEqual(sent)
    driver.sent()
  }

  test('frames of the second pair go round in the second thread, driver after driver, while their memory changes, and nothing is left', async () => {
    await start('--backend', 'loopback', '--accessor', 'vmap-direct')
    for (const pair of [1, 0, 1]) {
      const driver = new TestDriver(socket, pair)
      await sendAndGetBack(driver)
      expect(await daemon.metric(`vring_queue_enabled{queue="${2 * pair}"}`)).toBe(1)
      driver.close()
      await until('the end of the session', async () => (await daemon.metric('vring_connected')) === 0)
      expect(shared(daemon.child.pid!)).toBe(0)
    }
    expect(await daemon.metric('vring_packets_total{pair="1",direction="tx"}')).toBe(400)
    expect(await daemon.metric('vring_packets_total{pair="0",direction="rx"}')).toBe(200)
    expect(await daemon.metric('vring_wakeups_total{thread="1"}')).toBeGreaterThan(0)
    expect(await daemon.metric('vring_round_seconds_count{thread="1"}')).toBeGreaterThan(0)
    // Memory comes and goes under load, and no frame is lost or torn.
    const driver = new TestDriver(socket, 1)
    for (let change = 0; change < 10; change++) {
      const more = new FrontendMemory({ bytes: 1 << 20, guestAddress: GUEST_ELSEWHERE, userAddress: 2 ** 41 })
      driver.send(frames(100))
      driver.frontend.shareMemory([driver.memory, more])
      driver.send([])
      driver.frontend.shareMemory([driver.memory])
      more.close()
      const back: Uint8Array[] = []
      await until('all frames back', () => {
        back.push(...driver.receive())
        return back.length === 100
      })
      expect(back).toEqual(frames(100))
    }
    expect(shared(daemon.child.pid!)).toBe(1)
    driver.close()
    expect(await daemon.end('SIGTERM')).toBe(0)
    expect(daemon.output).toContain('loopback, accessor vmap-direct, 2 queue pairs over 2 threads')
    expect(daemon.output).toContain('stopped; 4 sessions, 1600 frames from drivers, 1600 to drivers')
  })

  test('a device that throws in the second thread ends its session, and the next one is served there', async () => {
    const file = join(folder, 'plugin.mjs')
    writeFileSync(
      file,
      `export default { [Symbol.for('vring.backend-plugin')]: true, name: 'theirs', apiVersion: 1, description: 'theirs',
        supports: { inPlace: true, xdp: false, privileged: false, receives: false }, create() {
          const counters = { txFrames: 0, txBytes: 0, txDropped: {} }
          return { name: 'theirs', counters, flush() {}, close() {}, transmit({ count, length }) {
            if (length[0] === 12 + 61) throw new TypeError('a bad day')
            if (length[0] === 12 + 62) process.exit(7)
            counters.txFrames += count
            return count
          } } } }`,
    )
    await start('--plugin', file, '--backend', 'theirs')
    const driver = new TestDriver(socket, 1)
    driver.send([new Uint8Array(61)])
    await daemon.says(/the driver's session ended: thread 1 of the device: TypeError: a bad day, at /)
    driver.close()
    const next = new TestDriver(socket, 1)
    next.send(frames(50))
    await until('used', () => next.sent() === 50)
    expect(await daemon.metric('vring_packets_total{pair="1",direction="tx"}')).toBe(50)
    // A thread that ends for good takes its device with it: the session first, then the daemon, which has no other.
    next.send([new Uint8Array(62)])
    await daemon.says(/the driver's session ended: thread 1 of the device has ended/)
    expect(await daemon.exit()).toBe(1)
    expect(daemon.output).toContain('thread 1 of the device ended with code 7')
    next.close()
  })
})
