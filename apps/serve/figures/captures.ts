import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { unshareNetwork } from '@vring/linux'
import { DaemonProcess } from '../test/daemon-process.ts'
import { Testpmd, testpmdMissing } from '../test/testpmd.ts'

/*
 * What README says of captures: packets a second of a testpmd that sends as fast as it can, with and without a capture beside several
 * backends, all of them in the capture; and the memory of a daemon that replays a capture of many GiB. Needs testpmd and
 * `npm run build`, and root for the TAP; files go to the folder and are deleted; with 0 seconds or 0 GiB that part is left out:
 *
 *   npx tsx --conditions=@vring/source apps/serve/figures/captures.ts --folder /tmp --seconds 10 --gib 10
 */
const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: '/tmp' },
    seconds: { type: 'string', default: '10' },
    gib: { type: 'string', default: '10' },
  },
})
const SECOND_MS = 1000
const MIB = 2 ** 20
const GIB = 2 ** 30
/** Of the generated capture: 1514 bytes a frame, as a bulk transfer has them. */
const FRAME_BYTES = 1514
const CHUNK_BYTES = 8 * MIB
const folder = mkdtempSync(join(values.folder, 'vring-capture-'))
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function total(page: string, name: string): number {
  const lines = page.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

function residentMib(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}

/** A frame of 64 bytes in the file: an Enhanced Packet Block with its direction. */
const BLOCK_BYTES = 32 + 64 + 12

interface CaptureCase {
  readonly backend: string
  /** More arguments. */
  readonly more?: readonly string[]
  /** Frames go round between the driver and a loopback: each is captured twice, from it and to it. */
  readonly round?: boolean
  readonly captured: boolean
}

async function captureRate({ backend, more = [], round = false, captured }: CaptureCase): Promise<void> {
  const file = join(folder, 'a.pcapng')
  const socket = join(folder, 'capture.sock')
  const isBackend = backend === 'pcap'
  const to = captured && !isBackend ? ['--capture', file] : []
  const args = ['--socket', socket, '--backend', isBackend ? `pcap:${file}` : backend, '--metrics', '127.0.0.1:0']
  const daemon = new DaemonProcess([...args, ...more, ...to], { from: 'built' })
  let driver: Testpmd | null = null
  try {
    await daemon.ready()
    driver = new Testpmd(socket, { forward: 'txonly' })
    await sleep(2 * SECOND_MS)
    if (round) driver.child.stdin!.write('stop\nset fwd io\nstart tx_first\n')
    // Connected, and warm.
    await sleep(2 * SECOND_MS)
    const started = performance.now()
    const before = await daemon.page('metrics')
    await sleep(Number(values.seconds) * SECOND_MS)
    const after = await daemon.page('metrics')
    const seconds = (performance.now() - started) / SECOND_MS
    const grown = (name: string): number => total(after, name) - total(before, name)
    const rate = (grown('vring_packets_total') / seconds / 1e6).toFixed(2)
    await driver.kill()
    await sleep(SECOND_MS)
    const last = await daemon.page('metrics')
    await daemon.end('SIGTERM')
    const what = [backend.replace(/:.*/, ''), ...(round ? ['both ways'] : [])].join(' ')
    if (!captured) console.log(`${what}: ${rate} million packets/s without a capture`)
    else {
      const packets = total(last, 'vring_packets_total')
      const held = Math.floor(statSync(file).size / BLOCK_BYTES)
      const lost = total(last, 'vring_capture_lost_frames_total') + total(last, 'vring_dropped_packets_total')
      console.log(
        `${what}, captured: ${rate} million packets/s; ${held} of ${packets} in the file, ${lost} lost or dropped`,
      )
    }
  } finally {
    await driver?.kill()
    if (daemon.child.exitCode === null) await daemon.end('SIGKILL')
    if (existsSync(file)) rmSync(file)
  }
}

/** A pcapng capture of whole frames, 10 us apart. */
function writeCapture(path: string, bytes: number): number {
  const frameBytes = 32 + ((FRAME_BYTES + 3) & ~3)
  const perChunk = Math.floor(CHUNK_BYTES / frameBytes)
  const chunk = new Uint8Array(perChunk * frameBytes)
  const view = new DataView(chunk.buffer)
  const file = openSync(path, 'wx')
  const head = new DataView(new ArrayBuffer(28 + 20))
  for (const [at, word] of [0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff, 28, 1, 20, 1, 0, 20].entries())
    head.setUint32(at * 4, word, true)
  writeSync(file, new Uint8Array(head.buffer))
  let frames = 0
  for (let written = 0; written < bytes; written += chunk.length) {
    for (let i = 0; i < perChunk; i++, frames++) {
      const at = i * frameBytes
      const micros = frames * 10
      const words = [6, frameBytes, 0, Math.floor(micros / 2 ** 32), micros >>> 0, FRAME_BYTES, FRAME_BYTES]
      for (const [word, value] of words.entries()) view.setUint32(at + word * 4, value, true)
      view.setUint16(at + 28 + 12, 0x0800)
      view.setUint32(at + frameBytes - 4, frameBytes, true)
    }
    writeSync(file, chunk)
  }
  closeSync(file)
  return frames
}

async function replayMemory(): Promise<void> {
  const path = join(folder, 'large.pcapng')
  const frames = writeCapture(path, Number(values.gib) * GIB)
  const socket = join(folder, 'replay.sock')
  const daemon = new DaemonProcess(
    ['--socket', socket, '--backend', `replay:${path}`, '--pace', 'asap', '--metrics', '127.0.0.1:0'],
    { from: 'built' },
  )
  let driver: Testpmd | null = null
  try {
    await daemon.ready()
    driver = new Testpmd(socket, { forward: 'rxonly', ring: 'mrg_rxbuf=1' })
    let most = 0
    let seen = 0
    const started = performance.now()
    while (seen < frames && performance.now() - started < 170 * SECOND_MS) {
      await sleep(SECOND_MS / 4)
      most = Math.max(most, residentMib(daemon.child.pid!))
      seen = total(await daemon.page('metrics'), 'vring_packets_total')
    }
    const seconds = (performance.now() - started) / SECOND_MS
    console.log(
      `replay of ${(statSync(path).size / GIB).toFixed(2)} GiB: ${seen} of ${frames} frames to the driver in ${seconds.toFixed(0)} s, at most ${most.toFixed(0)} MiB resident`,
    )
  } finally {
    await driver?.kill()
    await daemon.end('SIGTERM')
    rmSync(path)
  }
}

const TAP = { backend: 'tap:vcapture', more: ['--xdp', 'xdp1'] }

if (testpmdMissing !== null) throw new Error(testpmdMissing)
if (process.getuid?.() === 0) {
  // The TAP is in a namespace of this process's own.
  unshareNetwork()
  spawnSync('ip', ['link', 'set', 'lo', 'up'])
}
try {
  if (Number(values.seconds) > 0) await captureRate({ backend: 'pcap', captured: true })
  for (const captured of Number(values.seconds) > 0 ? [false, true] : []) {
    await captureRate({ backend: 'drop', captured })
    await captureRate({ backend: 'loopback', round: true, captured })
    if (process.getuid?.() === 0) await captureRate({ ...TAP, captured })
  }
  if (Number(values.gib) > 0) await replayMemory()
} finally {
  rmSync(folder, { recursive: true })
}
