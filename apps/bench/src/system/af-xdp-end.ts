import { type AfXdpCounters, AfXdpInterface, AfXdpQueue } from '@vring/backend-af-xdp'
import type { FrameBatch, FrameSource, NetBackend } from '@vring/vhost-net'
import { VethPair } from './veth-pair.ts'

/** An AF_XDP socket in copy mode on one end of a veth pair of this process' own; what arrives at the other end is counted. */
export class AfXdpEnd implements NetBackend, FrameSource {
  readonly name = 'af-xdp'
  private readonly veth: VethPair
  private readonly port: AfXdpInterface
  private readonly queue: AfXdpQueue

  /** @throws Error, VringError ERR_SYSTEM: EPERM, or AF_XDP that this kernel has not */
  constructor() {
    this.veth = new VethPair()
    let port: AfXdpInterface | null = null
    try {
      port = AfXdpInterface.open({ name: this.veth.near })
      this.queue = new AfXdpQueue(port.handle(0), { mode: 'copy' })
      this.port = port
    } catch (error) {
      port?.close()
      this.veth.close()
      throw error
    }
  }

  /** Frames that came out at the other end. */
  get arrived(): number {
    return this.veth.arrived
  }

  get wakeFd(): number {
    return this.queue.wakeFd
  }

  transmit(frames: FrameBatch): number {
    return this.queue.transmit(frames)
  }

  flush(): void {
    this.queue.flush()
  }

  receive(): FrameBatch {
    return this.queue.receive()
  }

  consume(count: number): void {
    this.queue.consume(count)
  }

  get counters(): AfXdpCounters {
    return this.queue.counters
  }

  close(): void {
    this.queue.close()
    this.port.close()
    this.veth.close()
  }
}
