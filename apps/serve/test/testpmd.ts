import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'

const TESTPMD = ['/usr/bin/dpdk-testpmd', '/usr/local/bin/dpdk-testpmd'].find((path) => existsSync(path))

/** Why testpmd can't be run here, or null. */
export const testpmdMissing: string | null =
  TESTPMD === undefined ? 'dpdk-testpmd (Debian package dpdk-dev) is missing' : null

export interface TestpmdOptions {
  readonly forward: 'txonly' | 'rxonly' | 'io'
  /** Listens on the socket, and takes one backend after the other. Default: connects to it once. */
  readonly server?: boolean
  /** Queue pairs. Default 1. */
  readonly queues?: number
  /** More arguments of net_virtio_user: `packed_vq=1,in_order=1,mrg_rxbuf=0`. */
  readonly ring?: string
}

/** DPDK's driver side, without huge pages and without anything that outlives it. */
export class Testpmd {
  readonly child: ChildProcess
  #output = ''

  constructor(socket: string, { forward, server = false, queues = 1, ring = '' }: TestpmdOptions) {
    const listen = server ? ',server=1' : ''
    const vdev = `net_virtio_user0,mac=00:01:02:03:04:05,path=${socket},queues=${queues},queue_size=256${listen}${ring === '' ? '' : `,${ring}`}`
    const eal = ['--lcores', '0@1,1@1', '--no-pci', '--no-huge', '-m', '64', '--no-shconf', '--no-telemetry']
    const counts = ['--total-num-mbufs=4096', `--rxq=${queues}`, `--txq=${queues}`]
    this.child = spawn(
      TESTPMD!,
      [...eal, '--vdev', vdev, '--', '-i', `--forward-mode=${forward}`, '--auto-start', ...counts],
      { stdio: ['pipe', 'pipe', 'ignore'], env: { ...process.env, RUNTIME_DIRECTORY: dirname(socket) } },
    )
    this.child.stdout!.on('data', (text) => {
      this.#output += text
    })
    // It may be killed while it is written to.
    this.child.stdin!.on('error', () => {})
  }

  /**
   * Stops forwarding, waits until the device has taken what is in the ring, and quits. Returns the packets that it put
   * into the ring, by its own count, which it prints at its end.
   */
  async quit(ringIsEmpty: () => Promise<void>): Promise<number> {
    this.child.stdin!.write('stop\n')
    await ringIsEmpty()
    this.child.stdin!.write('quit\n')
    await once(this.child, 'exit')
    return Number(/Accumulated forward statistics[\s\S]*?TX-packets: (\d+)/.exec(this.#output)?.[1])
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill('SIGKILL')
    await once(this.child, 'exit')
  }
}
