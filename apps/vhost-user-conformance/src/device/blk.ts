import { check } from '../case.ts'
import type { DeviceProfile } from './profile.ts'

/** Bytes of struct virtio_blk_req without data and status. */
export const BLK_HEADER_BYTES = 16
export const BLK_SECTOR_BYTES = 512
export const VIRTIO_BLK_T_IN = 0
export const VIRTIO_BLK_T_OUT = 1
export const VIRTIO_BLK_T_FLUSH = 4
export const VIRTIO_BLK_T_GET_ID = 8
export const VIRTIO_BLK_S_OK = 0
/** What the judge puts where the device has to write a status. */
const NO_STATUS = 0xee

/** virtio-blk (VirtIO 1.3 section 5.2): requests read the first sector. */
export const blkProfile: DeviceProfile = {
  name: 'blk',
  features: [],
  queues: [0],
  requestQueue: 0,
  writes: true,
  descriptors: 3,
  request(memory) {
    const header = memory.take(BLK_HEADER_BYTES, 16)
    memory.view.setUint32(header, VIRTIO_BLK_T_IN, true)
    const data = memory.take(BLK_SECTOR_BYTES, 16)
    const status = memory.take(1, 16)
    memory.bytes[status] = NO_STATUS
    return {
      chain: [
        { address: memory.guest(header), length: BLK_HEADER_BYTES, writable: false },
        { address: memory.guest(data), length: BLK_SECTOR_BYTES, writable: true },
        { address: memory.guest(status), length: 1, writable: true },
      ],
      check({ length }) {
        const result = memory.bytes[status]
        check(result === VIRTIO_BLK_S_OK, `reading sector 0 ends with status ${result}`)
        check(length === BLK_SECTOR_BYTES + 1, `reading a sector is used with length ${length}, not 513`)
      },
    }
  },
}
