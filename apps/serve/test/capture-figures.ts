import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { DaemonProcess } from './daemon-process.ts'
import { Testpmd, testpmdMissing } from './testpmd.ts'

/*
 * What README says of captures: packets a second of a testpmd that sends as fast as it can, all of them in a capture, and the memory
 * of a daemon that replays a capture of many GiB. Needs testpmd and `npm run build`, no root; files go to the folder and are deleted:
 *
 *   npx tsx --conditions=@vring/source apps/serve/test/capture-figures.ts --folder /tmp --seconds 10 --gib 10
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

async function captureRate(backend: string, capture: readonly string[], file: string): Promise<void> {
  const socket = join(folder, 'capture.sock')
  const daemon = new DaemonProcess(['--socket', socket, '--backend', backend, '--metrics', '127.0.0.1:0', ...capture], {
    from: 'built',
  })
  let driver: Testpmd | null = null
  try {
    await daemon.ready()
    driver = new Testpmd(socket, { forward: 'txonly' })
    // Connected, and warm.
    await sleep(4 * SECOND_MS)
    const started = performance.now()
    const before = await daemon.page('metrics')
    await sleep(Number(values.seconds) * SECOND_MS)
    const after = await daemon.page('metrics')
    const seconds = (performance.now() - started) / SECOND_MS
    const grown = (name: string): number => total(after, name) - total(before, name)
    const bytes = statSync(file).size
    const rate = grown('vring_packets_total') / seconds / 1e6
    const lost = total(after, 'vring_dropped_packets_total')
    const what = capture.length === 0 ? backend.replace(/:.*/, '') : `${backend.replace(/:.*/, '')} with --capture`
    console.log(
      `${what}: ${rate.toFixed(2)} million packets/s in the capture, ${lost} lost; ${(bytes / GIB).toFixed(2)} GiB written`,
    )
  } finally {
    await driver?.kill()
    await daemon.end('SIGTERM')
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

if (testpmdMissing !== null) throw new Error(testpmdMissing)
try {
  const file = join(folder, 'a.pcapng')
  await captureRate(`pcap:${file}`, [], file)
  if (Number(values.gib) > 0) await replayMemory()
} finally {
  rmSync(folder, { recursive: true })
}
