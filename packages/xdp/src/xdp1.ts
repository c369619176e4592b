import { ipProtocol } from './ip-protocol.ts'
import { type ProtocolCounters, protocolCounters } from './protocol-counters.ts'
import { XDP_DROP } from './verdict.ts'
import type { XdpContext } from './xdp-context.ts'
import type { XdpProgram } from './xdp-program.ts'

/**
 * Counts frames by IP protocol and drops them all. A frame that ends inside its Ethernet header or VLAN tags is dropped
 * uncounted. Source: Linux 5.0 samples/bpf/xdp1_kern.c.
 */
export class Xdp1 implements XdpProgram {
  readonly name = 'xdp1'
  readonly readOnly = true
  /** Frames seen by protocol number; live. */
  readonly counters: ProtocolCounters = protocolCounters()

  run(context: XdpContext): number {
    const protocol = ipProtocol(context)
    if (protocol >= 0) this.counters[protocol]!++
    return XDP_DROP
  }
}
