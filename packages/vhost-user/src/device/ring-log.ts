import { IotlbDirtyLog } from '@vring/iotlb'
import { type DirtyLog, UserDirtyLog } from '@vring/memory'
import type { RingLog } from '@vring/virtqueue'
import type { StartedVring } from './device.ts'

/**
 * Notes guest pages, with any addresses that the ring uses. With an IOTLB an IOVA leads to a user address, and that to
 * every slot that shows it (Linux: log_write_hva). The log may be switched on and off while the ring runs, so it is
 * looked up at every write.
 */
export function migrationLog({ memory, iotlb }: StartedVring): { write(address: number, length: number): void } {
  const log: DirtyLog = { write: (address, length) => memory.dirtyLog.write(address, length) }
  const known = iotlb === null ? log : new IotlbDirtyLog(iotlb, new UserDirtyLog(memory.buffers, log))
  return { write: (address, length) => void known.write(address, length) }
}

/**
 * Where the ring's own writes are noted. Split: at the address that the frontend gave for the used ring (Linux: log_addr).
 * Packed: descriptors and the device's event word are written in place, so they are found by the addresses of their areas.
 */
export function ringLog(vring: StartedVring): RingLog | null {
  const { ring, memory, iotlb, usedLogAddress } = vring
  if (ring.format === 'split') {
    if (usedLogAddress === null) return null
    const log = migrationLog(vring)
    return { write: (_area, offset, length) => log.write(usedLogAddress + offset, length) }
  }
  const log: DirtyLog = { write: (address, length) => memory.dirtyLog.write(address, length) }
  const byUser = new UserDirtyLog(memory.buffers, log)
  const known = iotlb === null ? byUser : new IotlbDirtyLog(iotlb, byUser)
  return { write: (area, offset, length) => void known.write(ring[area].address + offset, length) }
}
