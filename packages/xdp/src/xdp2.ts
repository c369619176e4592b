import { IPPROTO_UDP, ipProtocol } from './ip-protocol.ts'
import { type ProtocolCounters, protocolCounters } from './protocol-counters.ts'
import { XDP_DROP, XDP_TX } from './verdict.ts'
import type { XdpContext } from './xdp-context.ts'
import type { XdpProgram } from './xdp-program.ts'

const MAC_BYTES = 6

/**
 * Counts as {@link Xdp1}, sends UDP frames back with their MAC addresses swapped and drops the rest.
 * Source: Linux 5.0 samples/bpf/xdp2_kern.c.
 */
export class Xdp2 implements XdpProgram {
  readonly name = 'xdp2'
  /** Frames seen by protocol number; live. */
  readonly counters: ProtocolCounters = protocolCounters()

  run(context: XdpContext): number {
    const protocol = ipProtocol(context)
    if (protocol < 0) return XDP_DROP
    this.counters[protocol]!++
    if (protocol !== IPPROTO_UDP) return XDP_DROP
    swapMacs(context.u8, context.data)
    return XDP_TX
  }
}

/** Swaps destination and source address of the Ethernet header at `offset`. */
export function swapMacs(u8: Uint8Array, offset: number): void {
  for (let i = offset; i < offset + MAC_BYTES; i++) {
    const destination = u8[i]!
    u8[i] = u8[i + MAC_BYTES]!
    u8[i + MAC_BYTES] = destination
  }
}
