// How long does vring-serve take to set a session up, how many does it serve a second, and how long for a table of 509 slots?
//   node apps/serve/figures/session-rates.mjs [--sessions 200]
// Needs `npm run build`. A handshake is all from connect(2) to two rings that run; a session is that, and hanging up.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { UnixSocket } from '@vring/linux'
import { FrontendMemory, VhostUserDriver, VhostUserFrontend } from '@vring/vhost-user'

const { values } = parseArgs({ options: { sessions: { type: 'string' } } })
const sessions = Number(values.sessions ?? 200)
const SLOTS = 509
const PAGE = 4096
const VERSION_1 = 1n << 32n
const folder = mkdtempSync(join(tmpdir(), 'vring-session-rates-'))
const path = join(folder, 'vring.sock')
const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
const daemon = spawn(process.execPath, [cli, '--socket', path, '--backend', 'drop'], { stdio: 'ignore' })

const connect = () => VhostUserDriver.connect({ path, queues: 2, queueSize: 64 })

const percentile = (list, part) => list.toSorted((a, b) => a - b)[Math.floor(part * (list.length - 1))]

/** Milliseconds for all slots, each acknowledged. */
function applySlots() {
  const memory = new FrontendMemory({ bytes: SLOTS * PAGE })
  const frontend = new VhostUserFrontend({ transport: UnixSocket.connect(path) })
  try {
    frontend.negotiate(VERSION_1)
    const begin = performance.now()
    frontend.callAll(
      Array.from({ length: SLOTS }, (_, slot) => {
        const at = slot * PAGE
        const { guestAddress, userAddress } = memory.region
        // A gap after each: what lies side by side could be one.
        const region = {
          ...{ guestAddress: guestAddress + 2 * at, userAddress: userAddress + 2 * at },
          ...{ size: PAGE, mmapOffset: at },
        }
        return ['ADD_MEM_REG', region, [memory.fd]]
      }),
    )
    return performance.now() - begin
  } finally {
    frontend.close()
    memory.close()
  }
}

try {
  for (let i = 0; i < 400 && !existsSync(path); i++) await new Promise((resolve) => setTimeout(resolve, 25))
  for (let i = 0; i < 20; i++) connect().close()
  const times = []
  const begin = performance.now()
  for (let i = 0; i < sessions; i++) {
    const start = performance.now()
    const driver = connect()
    times.push(performance.now() - start)
    driver.close()
  }
  const rate = (1000 * sessions) / (performance.now() - begin)
  console.log(
    `handshake: ${percentile(times, 0.5).toFixed(2)} ms, 99 of 100 under ${percentile(times, 0.99).toFixed(2)} ms`,
  )
  console.log(`sessions connected and closed: ${Math.round(rate)}/s`)
  const tables = Array.from({ length: 9 }, applySlots)
  console.log(`a table of ${SLOTS} slots: ${percentile(tables, 0.5).toFixed(1)} ms`)
} finally {
  daemon.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
}
