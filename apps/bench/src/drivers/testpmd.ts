import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { missingError } from '../bench-error.ts'
import { CellFailure, V8_FLAGS } from '../cell-process.ts'
import type { CellSpec } from '../cell-spec.ts'
import { lastWords } from '../last-words.ts'
import type { ServedTrial, TestpmdAnswer, TestpmdRequest } from '../testpmd-cell.ts'
import { type HugePages, reserveHugePages } from './huge-pages.ts'
import { findTestpmd, TESTPMD_HUGE_MIB, TestpmdProcess } from './testpmd-process.ts'

/** CPUs of driver and device: one each, so that neither waits for the other. */
export const DRIVER_CPU = 0
export const DEVICE_CPU = 1

const ANSWER_LIMIT_MS = 120_000
const SOCKET_LIMIT_MS = 20_000

/** One trial of the peer. */
export interface PeerTrial {
  readonly packets: number
  readonly seconds: number
  readonly version: string
}

/**
 * What measuring against testpmd needs: the binary, two CPUs, memory, a folder for sockets. {@link close} gives all back.
 */
export class TestpmdBench {
  readonly #binary: string
  readonly #hugePages: HugePages
  readonly #folder = mkdtempSync(join(tmpdir(), 'vring-bench-'))
  #sockets = 0

  /** @throws BenchError with exit code 4: testpmd or a second CPU is missing */
  constructor() {
    this.#binary = findTestpmd()
    if (availableParallelism() < 2) throw missingError('a second CPU', 'driver and device need one each')
    // Driver and peer at once.
    this.#hugePages = reserveHugePages(2 * TESTPMD_HUGE_MIB)
  }

  /** True: on huge pages; false: --no-huge. */
  get onHugePages(): boolean {
    return this.#hugePages.available
  }

  /** One trial of an accessor in its process, against a driver of its own. */
  async trial(
    cell: TestpmdCell,
    options: Pick<TestpmdRequest, 'warmUpMs' | 'durationMs' | 'plugins'>,
  ): Promise<ServedTrial> {
    const socket = this.#socket()
    let driver: TestpmdProcess | null = null
    try {
      return await cell.serve({ type: 'serve', spec: cell.spec, socket, cpu: DEVICE_CPU, ...options }, () => {
        driver = this.#start('driver', socket, cell.spec)
      })
    } finally {
      await (driver as TestpmdProcess | null)?.stop()
    }
  }

  /** One trial of DPDK's own vhost (net_vhost, rxonly) on the device's CPU, against the same driver. */
  async peerTrial(spec: CellSpec, warmUpMs: number, durationMs: number): Promise<PeerTrial> {
    const socket = this.#socket()
    const backend = this.#start('backend', socket, spec)
    let driver: TestpmdProcess | null = null
    try {
      await backend.until('socket', SOCKET_LIMIT_MS, () => existsSync(socket))
      const { version } = backend
      driver = this.#start('driver', socket, spec)
      let first = await backend.portStats()
      const end = performance.now() + SOCKET_LIMIT_MS
      while (first.rxPackets === 0) {
        if (performance.now() > end) throw new CellFailure('no packet reached net_vhost')
        await pause(100)
        first = await backend.portStats()
      }
      await pause(warmUpMs)
      const from = await backend.portStats()
      const started = performance.now()
      await pause(durationMs)
      const to = await backend.portStats()
      return { packets: to.rxPackets - from.rxPackets, seconds: (performance.now() - started) / 1000, version }
    } finally {
      await driver?.stop()
      await backend.stop()
    }
  }

  /** Gives huge pages and files back. A second call does nothing. */
  close(): void {
    this.#hugePages.giveBack()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #socket(): string {
    return join(this.#folder, `${this.#sockets++}.sock`)
  }

  #start(role: 'driver' | 'backend', socket: string, spec: CellSpec): TestpmdProcess {
    return new TestpmdProcess({
      binary: this.#binary,
      role,
      socket,
      cpu: role === 'driver' ? DRIVER_CPU : DEVICE_CPU,
      queueSize: spec.queueSize,
      frameBytes: spec.frameBytes,
      hugePages: this.#hugePages.available,
    })
  }
}

/** The process of one accessor: see testpmd-cell.ts. */
export class TestpmdCell {
  readonly spec: CellSpec
  readonly #child: ChildProcess
  #lastWords = ''

  constructor(spec: CellSpec) {
    this.spec = spec
    const source = import.meta.url.endsWith('.ts')
    const entry = fileURLToPath(new URL(source ? '../testpmd-cell.ts' : './testpmd-cell.js', import.meta.url))
    this.#child = fork(entry, {
      execArgv: [...process.execArgv, ...V8_FLAGS],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
    })
    const keep = (text: Buffer): void => {
      this.#lastWords = (this.#lastWords + text.toString()).slice(-2000)
    }
    this.#child.stdout?.on('data', keep)
    this.#child.stderr?.on('data', keep)
  }

  /**
   * One trial; `onListening` starts the driver.
   *
   * @throws CellFailure
   */
  serve(request: TestpmdRequest, onListening: () => void): Promise<ServedTrial> {
    const child = this.#child
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        clearTimeout(timer)
        child.off('message', onMessage)
        child.off('exit', onExit)
        finish()
      }
      const fail = (reason: string): void => settle(() => reject(new CellFailure(reason)))
      const onMessage = (answer: TestpmdAnswer): void => {
        if (answer.type === 'listening') onListening()
        else if (answer.type === 'served') settle(() => resolve(answer))
        else fail(answer.reason)
      }
      const onExit = (): void => fail(`its process ended: ${lastWords(this.#lastWords)}`)
      const timer = setTimeout(() => {
        this.close()
        fail(`hung: no answer within ${ANSWER_LIMIT_MS / 1000} s`)
      }, ANSWER_LIMIT_MS)
      if (child.exitCode !== null || child.signalCode !== null) return onExit()
      child.on('message', onMessage)
      child.once('exit', onExit)
      child.send(request, (error) => {
        if (error !== null) fail(`can't be reached: ${error.message}`)
      })
    })
  }

  close(): void {
    this.#child.kill('SIGKILL')
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
