import { completeChecksum } from './complete-checksum.ts'

const ETHERTYPE_OFFSET = 12
const ETHERTYPE_IPV4 = 0x0800
const ETHERTYPE_IPV6 = 0x86dd
/** IEEE 802.1Q and 802.1ad. */
const ETHERTYPE_VLAN = 0x8100
const ETHERTYPE_QINQ = 0x88a8
const VLAN_TAG_BYTES = 4
const VLAN_TAGS_MAX = 2
const PROTOCOL_TCP = 6
const PROTOCOL_UDP = 17
/** Where the checksum is in a header of TCP and of UDP. */
const TCP_CHECKSUM = 16
const UDP_CHECKSUM = 6
const IPV6_HEADER_BYTES = 40

/**
 * Completes the checksum of a TCP or UDP frame whose sender left that to a device. Its field then holds the sum of the
 * pseudo header (Linux CHECKSUM_PARTIAL), which no metadata of AF_XDP tells. A frame whose checksum is right stays as
 * it is, also where the field happens to hold that number. Fragments and IPv6 extension headers are not looked into.
 *
 * @param u8 memory that no other thread writes to
 * @param frame where the frame starts
 * @param bytes its length
 * @returns whether it was completed
 */
export function completePartialChecksum(u8: Uint8Array, frame: number, bytes: number): boolean {
  let at = ETHERTYPE_OFFSET
  if (bytes < at + 2) return false
  let type = read16(u8, frame + at)
  for (let tags = 0; (type === ETHERTYPE_VLAN || type === ETHERTYPE_QINQ) && tags < VLAN_TAGS_MAX; tags++) {
    at += VLAN_TAG_BYTES
    if (bytes < at + 2) return false
    type = read16(u8, frame + at)
  }
  const ip = at + 2
  if (type === ETHERTYPE_IPV4) return completeIpv4(u8, frame, bytes, ip)
  return type === ETHERTYPE_IPV6 ? completeIpv6(u8, frame, bytes, ip) : false
}

/** RFC 791. */
function completeIpv4(u8: Uint8Array, frame: number, bytes: number, ip: number): boolean {
  if (bytes < ip + 20) return false
  const header = frame + ip
  const headerBytes = (u8[header]! & 0xf) * 4
  const length = read16(u8, header + 2) - headerBytes
  // More fragments, or not the first.
  if (headerBytes < 20 || length < 0 || (read16(u8, header + 6) & 0x3fff) !== 0) return false
  const protocol = u8[header + 9]!
  return complete(u8, frame, bytes, ip + headerBytes, length, protocol, sumWords(u8, header + 12, 8))
}

/** RFC 8200. */
function completeIpv6(u8: Uint8Array, frame: number, bytes: number, ip: number): boolean {
  if (bytes < ip + IPV6_HEADER_BYTES) return false
  const header = frame + ip
  const sum = sumWords(u8, header + 8, 32)
  return complete(u8, frame, bytes, ip + IPV6_HEADER_BYTES, read16(u8, header + 4), u8[header + 6]!, sum)
}

/**
 * @param start of the transport header, from the frame's start
 * @param length bytes of transport header and payload
 * @param addresses sum of both addresses
 */
function complete(
  u8: Uint8Array,
  frame: number,
  bytes: number,
  start: number,
  length: number,
  protocol: number,
  addresses: number,
): boolean {
  const offset = protocol === PROTOCOL_TCP ? TCP_CHECKSUM : protocol === PROTOCOL_UDP ? UDP_CHECKSUM : -1
  if (offset < 0 || length < offset + 2 || start + length > bytes) return false
  const pseudo = fold(addresses + protocol + length)
  if (read16(u8, frame + start + offset) !== pseudo) return false
  // It may be the right checksum by chance: then all of it sums up to ones (RFC 1071).
  if (fold(pseudo + sumWords(u8, frame + start, length)) === 0xffff) return false
  completeChecksum(u8, frame, start + length, start, offset)
  return true
}

function sumWords(u8: Uint8Array, at: number, bytes: number): number {
  const end = at + bytes
  let sum = 0
  for (; at + 1 < end; at += 2) sum += (u8[at]! << 8) | u8[at + 1]!
  return at < end ? sum + (u8[at]! << 8) : sum
}

function fold(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16)
  return (once & 0xffff) + (once >>> 16)
}

function read16(u8: Uint8Array, at: number): number {
  return (u8[at]! << 8) | u8[at + 1]!
}
