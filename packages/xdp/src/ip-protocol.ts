import { ETH_HEADER_BYTES } from '@vring/layout'
import type { XdpContext } from './xdp-context.ts'

const ETH_P_IP = 0x0800
const ETH_P_IPV6 = 0x86dd
const ETH_P_8021Q = 0x8100
const ETH_P_8021AD = 0x88a8
const VLAN_TAG_BYTES = 4
const IPV4_HEADER_BYTES = 20
const IPV4_PROTOCOL_OFFSET = 9
const IPV6_HEADER_BYTES = 40
const IPV6_NEXT_HEADER_OFFSET = 6

/** The IP protocol numbers that programs here compare with (IANA). */
export const IPPROTO_TCP = 6
export const IPPROTO_UDP = 17

/**
 * The protocol number of the frame's IPv4 or IPv6 header, after up to two VLAN tags (802.1Q, 802.1ad). 0 for anything
 * else and for an IP header that the frame cuts off. Source: Linux 5.0 samples/bpf/xdp1_kern.c.
 *
 * @returns 0 .. 255, or -1 if the frame ends inside its Ethernet header or VLAN tags
 */
export const ipProtocol = (context: XdpContext): number => {
  // A constant holds the function: one that is declared is loaded and compared at each call.
  const u8 = context.u8
  const dataEnd = context.dataEnd
  // Offsets are made integers: V8 would check each sum for an overflow.
  let network = (context.data + ETH_HEADER_BYTES) | 0
  if (network > dataEnd) return -1
  let etherType = (u8[network - 2]! << 8) | u8[network - 1]!
  for (let tags = 0; tags < 2 && (etherType === ETH_P_8021Q || etherType === ETH_P_8021AD); tags++) {
    network += VLAN_TAG_BYTES
    if (network > dataEnd) return -1
    etherType = (u8[network - 2]! << 8) | u8[network - 1]!
  }
  if (etherType === ETH_P_IP)
    return ((network + IPV4_HEADER_BYTES) | 0) > dataEnd ? 0 : u8[(network + IPV4_PROTOCOL_OFFSET) | 0]!
  if (etherType === ETH_P_IPV6)
    return network + IPV6_HEADER_BYTES > dataEnd ? 0 : u8[network + IPV6_NEXT_HEADER_OFFSET]!
  return 0
}
