import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CountingXdp, LinuxTap } from '@vring/backend-tap/linux'
import { unshareNetwork } from '@vring/linux'
import type { AccessorSpec } from '@vring/registry'
import { XDP_TX } from '@vring/xdp'
import { DEFAULT_MEMORY } from '../config/serve-config.ts'
import { startError } from '../serve-error.ts'
import { Latency } from '../status/latency.ts'
import type { LatencySnapshot } from '../status/snapshot.ts'
import { ServeThread } from '../threads/serve-thread.ts'
import { EchoDriver } from './echo-driver.ts'

const TAP = 'vringlat0'
/** Compilation and page faults are over by then. */
const WARM_UP_FRAMES = 2000
/** Longer than the worker looks at empty rings before it sleeps (50 us). */
const PAUSE_MS = 1

export interface LatencyOptions {
  readonly accessor: AccessorSpec
  readonly plugins: readonly string[]
  /** Frames of each row. */
  readonly frames: number
  /** Bytes of a frame. */
  readonly bytes: number
}

/** One row: frames one after the other, with or without a pause between them. */
export interface LatencyRow {
  readonly name: string
  /** Frames for which the daemon had to be woken. */
  readonly kicks: number
  readonly latency: LatencySnapshot
}

/**
 * Times single frames: from the driver's kick through the daemon into a TAP, where an XDP program turns them round (XDP_TX),
 * and back into the driver's receive ring. Daemon, TAP and driver are made for it, in a network namespace of their own that
 * this thread stays in.
 *
 * @throws ServeError: exit code 4 without CAP_NET_ADMIN, CAP_SYS_ADMIN and CAP_BPF
 */
export async function measureLatency(options: LatencyOptions): Promise<LatencyRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'vring-latency-'))
  const closing: { close(): void }[] = [{ close: () => rmSync(folder, { recursive: true }) }]
  try {
    unshareNetwork()
    const tap = LinuxTap.open({ name: TAP })
    closing.push(tap)
    const echo = new CountingXdp(XDP_TX)
    closing.push(echo)
    tap.attachXdp(echo.program)
    return await withDaemon(tap, join(folder, 'vring.sock'), options)
  } catch (error) {
    throw startError('latency', error)
  } finally {
    for (const one of closing.reverse()) one.close()
  }
}

async function withDaemon(tap: LinuxTap, socket: string, options: LatencyOptions): Promise<LatencyRow[]> {
  const { accessor, plugins, frames, bytes } = options
  const thread = await ServeThread.start({
    ...{
      socket,
      fd: null,
      role: 'server',
      accessor,
      plugins,
      queuePairs: 1,
      announce: false,
      threads: 1,
      captures: [],
      memory: DEFAULT_MEMORY,
      features: 0n,
    },
    datapath: { kind: 'tap', queues: tap.queues, receiving: new Int32Array(new SharedArrayBuffer(4)) },
  })
  try {
    const driver = new EchoDriver(socket, bytes)
    try {
      for (let i = 0; i < WARM_UP_FRAMES; i++) driver.roundTrip()
      return [row('daemon asleep', driver, frames, PAUSE_MS), row('daemon awake', driver, frames, 0)]
    } finally {
      driver.close()
    }
  } finally {
    thread.stop()
    await thread.done
  }
}

function row(name: string, driver: EchoDriver, frames: number, pauseMs: number): LatencyRow {
  const latency = new Latency()
  const nothing = new Int32Array(new SharedArrayBuffer(4))
  const before = driver.kicks
  for (let i = 0; i < frames; i++) {
    if (pauseMs > 0) Atomics.wait(nothing, 0, 0, pauseMs)
    latency.record(driver.roundTrip())
  }
  return { name, kicks: driver.kicks - before, latency: latency.snapshot() }
}
