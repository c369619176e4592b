import { ETH_HEADER_BYTES } from '@vring/layout'
import type { Random } from '../stats/index.ts'

/** Kinds of frame that {@link buildFrame} makes. */
export const FRAME_KINDS = [
  'ipv4-udp',
  'ipv4-tcp',
  'ipv6-udp',
  'vlan-ipv4-udp',
  'qinq-ipv6-udp',
  'arp',
  'ipv4-icmp',
  'ipv6-tcp',
] as const
export type FrameKind = (typeof FRAME_KINDS)[number]

/** The least frame that holds every kind's headers: two VLAN tags, IPv6 and UDP. */
export const FRAME_BYTES_MIN = 60

const ETHERTYPE = { ipv4: 0x0800, ipv6: 0x86dd, arp: 0x0806, vlan: 0x8100, qinq: 0x88a8 }
const PROTOCOL = { icmp: 1, tcp: 6, udp: 17 }

/**
 * One Ethernet frame with addresses, ports and payload drawn from `random`. What a generator such as testpmd's txonly
 * sends is `ipv4-udp`.
 *
 * @param bytes length without FCS, {@link FRAME_BYTES_MIN} or more
 */
export function buildFrame(kind: FrameKind, bytes: number, random: Random): Uint8Array {
  const frame = Uint8Array.from({ length: bytes }, () => Math.floor(256 * random()))
  const view = new DataView(frame.buffer)
  // Locally administered unicast addresses.
  frame[0] = 0x02
  frame[6] = 0x02
  let at = ETH_HEADER_BYTES - 2
  const tag = (type: number, vlan: number): void => {
    view.setUint16(at, type)
    view.setUint16(at + 2, vlan)
    at += 4
  }
  if (kind === 'qinq-ipv6-udp') tag(ETHERTYPE.qinq, 100)
  if (kind === 'qinq-ipv6-udp' || kind === 'vlan-ipv4-udp') tag(ETHERTYPE.vlan, 200)
  if (kind === 'arp') {
    view.setUint16(at, ETHERTYPE.arp)
    return frame
  }
  const ipv6 = kind.includes('ipv6')
  const protocol = kind.endsWith('udp') ? PROTOCOL.udp : kind.endsWith('tcp') ? PROTOCOL.tcp : PROTOCOL.icmp
  view.setUint16(at, ipv6 ? ETHERTYPE.ipv6 : ETHERTYPE.ipv4)
  at += 2
  if (ipv6) {
    view.setUint32(at, 0x6000_0000)
    view.setUint16(at + 4, bytes - at - 40)
    frame[at + 6] = protocol
    frame[at + 7] = 64
  } else {
    view.setUint16(at, 0x4500)
    view.setUint16(at + 2, bytes - at)
    view.setUint16(at + 6, 0)
    frame[at + 8] = 64
    frame[at + 9] = protocol
    view.setUint16(at + 10, 0)
    view.setUint16(at + 10, internetChecksum(frame, at, 20))
  }
  return frame
}

/** The ones' complement sum of RFC 1071 over `length` (even) bytes. */
export function internetChecksum(bytes: Uint8Array, offset: number, length: number): number {
  let sum = 0
  for (let i = 0; i < length; i += 2) sum += (bytes[offset + i]! << 8) | bytes[offset + i + 1]!
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** Frame lengths of the simple IMIX: 7 of 64 bytes, 4 of 594, 1 of 1518, FCS included as usual. */
const IMIX = [64, 64, 594, 64, 64, 594, 64, 594, 64, 64, 594, 1518]

/** Length in bytes of frame `index` of a cell: fixed, or the IMIX's when `frameBytes` is 0. */
export function frameLength(frameBytes: number, index: number): number {
  return frameBytes === 0 ? IMIX[index % IMIX.length]! : frameBytes
}

/** Mean frame length in bytes over `count` frames. */
export function meanFrameBytes(frameBytes: number, count: number): number {
  let sum = 0
  for (let index = 0; index < count; index++) sum += frameLength(frameBytes, index)
  return sum / count
}
