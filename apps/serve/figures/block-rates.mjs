// How fast is `vring-serve block` against qemu-storage-daemon, on the same file in tmpfs, by the same driver?
//   node apps/serve/figures/block-rates.mjs [--seconds 3] [--depth 16]
// Slices of both alternate; what is printed is the median of each. Needs `npm run build` and qemu-storage-daemon.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { VhostUserDriver } from '@vring/vhost-user'

const { values } = parseArgs({ options: { seconds: { type: 'string' }, depth: { type: 'string' } } })
const seconds = Number(values.seconds ?? 3)
const depth = Number(values.depth ?? 16)
const SLICES = 9
const FILE_BYTES = 2 ** 28
const folder = mkdtempSync('/dev/shm/vring-block-rates-')
const file = join(folder, 'disk')
const children = []

function header(type, sector) {
  const view = new DataView(new ArrayBuffer(16))
  view.setUint32(0, type, true)
  view.setBigUint64(8, BigInt(sector), true)
  return new Uint8Array(view.buffer)
}

async function start(name, command, args) {
  const path = join(folder, `${name}.sock`)
  const child = spawn(command, args(path), { stdio: 'ignore' })
  children.push(child)
  for (let i = 0; i < 200 && !existsSync(path); i++) await new Promise((resolve) => setTimeout(resolve, 50))
  return VhostUserDriver.connect({ path, features: 2n ** 20n - 1n, slotBytes: 2 ** 20 + 64, queueSize: 128 })
}

/** Requests a second over `ms`, `depth` under way. */
function slice(driver, bytes, random, ms) {
  const [ring] = driver.rings
  const sectors = bytes / 512
  const blocks = FILE_BYTES / bytes
  let next = 0
  let done = 0
  const begin = performance.now()
  const end = begin + ms
  for (;;) {
    const now = performance.now()
    const more = now < end
    while (more && ring.pending < depth) {
      const block = random ? Math.floor(Math.random() * blocks) : next++ % blocks
      if (ring.send([header(0, block * sectors)], bytes + 1) < 0) break
    }
    ring.kick()
    for (let answer = ring.receive(); answer !== null; answer = ring.receive()) {
      if (answer.bytes.at(-1) !== 0) throw new Error('an I/O error')
      done++
    }
    if (!more && ring.pending === 0) return (1000 * done) / (performance.now() - begin)
  }
}

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1]

try {
  writeFileSync(file, Buffer.alloc(FILE_BYTES, 7))
  const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
  const drivers = {
    vring: await start('vring', process.execPath, (path) => [cli, 'block', '--socket', path, '--file', file]),
    qsd: await start('qsd', 'qemu-storage-daemon', (path) => [
      ...['--blockdev', `driver=file,node-name=f,filename=${file}`],
      ...['--export', `type=vhost-user-blk,id=e,node-name=f,writable=on,addr.type=unix,addr.path=${path}`],
    ]),
  }
  for (const [what, bytes, random] of [
    ['random reads of 4 KiB', 4096, true],
    ['sequential reads of 1 MiB', 2 ** 20, false],
  ]) {
    const rates = { vring: [], qsd: [] }
    for (let i = 0; i < SLICES; i++)
      for (const name of Object.keys(rates))
        rates[name].push(slice(drivers[name], bytes, random, (1000 * seconds) / SLICES))
    const [vring, qsd] = [median(rates.vring), median(rates.qsd)]
    console.log(
      `${what}: vring ${Math.round(vring)}/s, qemu-storage-daemon ${Math.round(qsd)}/s, ratio ${(vring / qsd).toFixed(2)}`,
    )
  }
  for (const driver of Object.values(drivers)) driver.close()
} finally {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
}
