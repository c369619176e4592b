/** What the floor counts of the frames that it drops. */
export interface FloorCounts {
  frames: number
  bytes: number
  dropped: number
  /** Frames by IP protocol. */
  readonly protocols: Float64Array
}

/** IP protocol of a frame as xdp1 finds it: up to two VLAN tags; 0 for neither IPv4 nor IPv6, -1 for a short frame. */
export function protocolOf(u8: Uint8Array, data: number, end: number): number {
  let at = data + 14
  if (at > end) return -1
  let type = (u8[data + 12]! << 8) | u8[data + 13]!
  for (let tags = 0; tags < 2 && (type === 0x8100 || type === 0x88a8); tags++) {
    if (at + 4 > end) return -1
    type = (u8[at + 2]! << 8) | u8[at + 3]!
    at += 4
  }
  if (type === 0x0800) return at + 20 > end ? 0 : u8[at + 9]!
  if (type === 0x86dd) return at + 40 > end ? 0 : u8[at + 6]!
  return 0
}
