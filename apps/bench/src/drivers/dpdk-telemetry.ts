import { UnixSocket } from '@vring/linux'

/** Counters of `/ethdev/stats`, of one port. */
export interface PortStats {
  /** Frames that it received, and that it sent. */
  readonly received: number
  readonly sent: number
}

/** How long an answer may take, in ms: its thread may wait for a CPU. */
const LIMIT_MS = 5000
const LOOK_MS = 1
const ANSWER_BYTES_MAX = 65_536

/**
 * Asks a DPDK application by its telemetry socket, which a thread of its own answers: the cores that forward packets
 * are not asked anything. Source: DPDK 22.11 Telemetry library guide: a SOCK_SEQPACKET socket, a greeting, one JSON
 * answer a command.
 */
export class DpdkTelemetry {
  readonly #socket: UnixSocket
  readonly #answer = new Uint8Array(ANSWER_BYTES_MAX)
  #greeted = false

  /** @throws VringError ERR_SYSTEM: no process listens there yet */
  constructor(path: string) {
    this.#socket = UnixSocket.connect(path, 'seqpacket')
  }

  /** @throws Error when no answer comes, or it is not of the form that is known */
  async portStats(port: number): Promise<PortStats> {
    if (!this.#greeted) await this.#receive()
    this.#greeted = true
    this.#socket.send(new TextEncoder().encode(`/ethdev/stats,${port}`))
    return parsePortStats(await this.#receive())
  }

  close(): void {
    this.#socket.close()
  }

  async #receive(): Promise<string> {
    const end = performance.now() + LIMIT_MS
    for (;;) {
      const bytes = this.#socket.receive(this.#answer, [])
      if (bytes > 0) return new TextDecoder().decode(this.#answer.subarray(0, bytes))
      if (bytes === 0) throw new Error('testpmd closed its telemetry socket')
      if (performance.now() > end) throw new Error(`testpmd: no telemetry within ${LIMIT_MS / 1000} s`)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  }
}

/** @throws Error that has the answer */
export function parsePortStats(answer: string): PortStats {
  const stats = (JSON.parse(answer) as { '/ethdev/stats'?: { ipackets?: unknown; opackets?: unknown } })[
    '/ethdev/stats'
  ]
  const { ipackets, opackets } = stats ?? {}
  if (typeof ipackets !== 'number' || typeof opackets !== 'number')
    throw new Error(`testpmd: its statistics are not of the form that is known: ${answer.slice(0, 200)}`)
  return { received: ipackets, sent: opackets }
}
