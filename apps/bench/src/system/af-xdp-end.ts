import { AfXdpInterface, AfXdpQueue } from '@vring/backend-af-xdp'
import { CountedEnd } from './counted-end.ts'
import { VethPair } from './veth-pair.ts'

/**
 * An AF_XDP socket in copy mode on one end of a veth pair of this process' own; what arrives at the other end is
 * counted.
 */
export class AfXdpEnd extends CountedEnd<AfXdpQueue> {
  readonly name = 'af-xdp'
  private readonly veth: VethPair
  private readonly port: AfXdpInterface

  private constructor(veth: VethPair, port: AfXdpInterface, queue: AfXdpQueue) {
    super(queue)
    this.veth = veth
    this.port = port
  }

  /** @throws Error, VringError ERR_SYSTEM: EPERM, or AF_XDP that this kernel has not */
  static open(): AfXdpEnd {
    const veth = new VethPair()
    let port: AfXdpInterface | null = null
    try {
      port = AfXdpInterface.open({ name: veth.near })
      return new AfXdpEnd(veth, port, new AfXdpQueue(port.handle(0), { mode: 'copy' }))
    } catch (error) {
      port?.close()
      veth.close()
      throw error
    }
  }

  /** Frames that came out at the other end. */
  get arrived(): number {
    return this.veth.arrived
  }

  override close(): void {
    super.close()
    this.port.close()
    this.veth.close()
  }
}
