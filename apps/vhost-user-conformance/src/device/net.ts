import { NET_HDR_MRG_BYTES, VIRTIO_NET_F_MRG_RXBUF } from '@vring/layout'
import { check } from '../case.ts'
import type { SharedMemory } from '../driver/shared-memory.ts'
import type { DeviceProfile } from './profile.ts'

/** Bytes of a frame of the judge, without checksum. */
export const FRAME_BYTES = 60

/** A frame after its virtio header, of an EtherType for local experiments; its offset. */
export function writeFrame(memory: SharedMemory, seed = 0): number {
  const offset = memory.take(NET_HDR_MRG_BYTES + FRAME_BYTES, 4)
  const frame = offset + NET_HDR_MRG_BYTES
  memory.bytes.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5], frame)
  for (let at = 14; at < FRAME_BYTES; at++) memory.bytes[frame + at] = (at + seed) & 0xff
  return offset
}

/** virtio-net (VirtIO 1.3 section 5.1): requests are frames that the driver transmits. */
export const netProfile: DeviceProfile = {
  name: 'net',
  features: [VIRTIO_NET_F_MRG_RXBUF],
  queues: [0, 1],
  requestQueue: 1,
  writes: false,
  descriptors: 1,
  request(memory) {
    const at = writeFrame(memory)
    return {
      chain: [{ address: memory.guest(at), length: NET_HDR_MRG_BYTES + FRAME_BYTES, writable: false }],
      check: ({ length }) =>
        check(length === 0, `a transmitted frame is used with length ${length}: the device writes nothing into it`),
    }
  },
}
