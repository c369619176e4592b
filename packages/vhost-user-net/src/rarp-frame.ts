import { NET_HDR_MRG_BYTES } from '@vring/layout'
import { memoryView } from '@vring/memory'
import { FrameBatch } from '@vring/vhost-net'

/** Bytes of the shortest Ethernet frame, without its checksum. */
const FRAME_BYTES = 60

/**
 * A reverse ARP request of a station, to all: switches learn from it where the station is now (RFC 903, as QEMU's
 * announce_self sends it).
 *
 * @param mac 6 bytes
 */
export function rarpFrame(mac: Uint8Array): FrameBatch {
  const frames = new FrameBatch(NET_HDR_MRG_BYTES, memoryView(new ArrayBuffer(NET_HDR_MRG_BYTES + FRAME_BYTES)))
  const frame = frames.view.u8.subarray(NET_HDR_MRG_BYTES)
  frame.fill(0xff, 0, 6)
  frame.set(mac, 6)
  // Type RARP; hardware Ethernet, protocol IPv4, their lengths, request reverse; sender and target are the station.
  frame.set([0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3], 12)
  frame.set(mac, 22)
  frame.set(mac, 32)
  frames.count = 1
  frames.offset[0] = 0
  frames.length[0] = NET_HDR_MRG_BYTES + FRAME_BYTES
  return frames
}
