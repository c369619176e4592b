import { availRingOffset, featureSet, USED_IDX_OFFSET, usedRingOffset, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { ACCESS_READ, ACCESS_WRITE, type MemoryView } from '@vring/memory'
import type { StartedVring, VhostUserDevice } from '../src/index.ts'

/** A ring as this device reaches it: its avail and used rings, resolved once. */
interface RunningRing {
  readonly vring: StartedVring
  readonly avail: MemoryView
  readonly availAt: number
  readonly used: MemoryView
  readonly usedAt: number
  nextAvail: number
  usedIdx: number
}

/**
 * The smallest device there is: gives every chain back as it came. For tests of the protocol, which are not about what a
 * device does with packets.
 */
export class RecyclingDevice implements VhostUserDevice {
  features: bigint = featureSet(VIRTIO_F_VERSION_1)
  queueCount = 2
  queueNum = 1
  /** Chains given back since it was made. */
  chains = 0
  /** Calls of the session, in order, for tests to look at. */
  readonly calls: string[] = []
  readonly rings = new Map<number, RunningRing>()

  startQueue(vring: StartedVring): void {
    const { space } = vring.memory
    const { ring, base: nextAvail } = vring
    const availAt = space.resolve(ring.driver.address, ring.driver.length, ACCESS_READ)
    const avail = space.view
    const usedAt = space.resolve(ring.device.address, ring.device.length, ACCESS_WRITE)
    const used = space.view
    const usedIdx = used.u16[(usedAt + USED_IDX_OFFSET) >> 1]!
    this.rings.set(vring.index, { vring, avail, availAt, used, usedAt, nextAvail, usedIdx })
    this.calls.push(`start ${vring.index} at ${nextAvail}`)
  }

  stopQueue(index: number): number {
    const { nextAvail } = this.rings.get(index)!
    this.rings.delete(index)
    this.calls.push(`stop ${index} at ${nextAvail}`)
    return nextAvail
  }

  setQueueEnabled(index: number, enabled: boolean): void {
    this.calls.push(`${enabled ? 'enable' : 'disable'} ${index}`)
  }

  serveQueue(index: number): number {
    const ring = this.rings.get(index)!
    const { queueSize } = ring.vring.ring
    const availIdx = Atomics.load(ring.avail.u16, (ring.availAt + 2) >> 1)
    const ready = (availIdx - ring.nextAvail) & 0xffff
    if (ready === 0 || ready > queueSize) return 0
    for (let i = 0; i < ready; i++) {
      const entry = ring.availAt + availRingOffset((ring.nextAvail + i) & (queueSize - 1))
      const element = ring.usedAt + usedRingOffset((ring.usedIdx + i) & (queueSize - 1))
      ring.used.u32[element >> 2] = ring.avail.u16[entry >> 1]!
      ring.used.u32[(element >> 2) + 1] = 0
    }
    ring.nextAvail = availIdx
    ring.usedIdx = (ring.usedIdx + ready) & 0xffff
    Atomics.store(ring.used.u16, (ring.usedAt + USED_IDX_OFFSET) >> 1, ring.usedIdx)
    ring.vring.notify()
    this.chains += ready
    return ready
  }

  armQueue(index: number): boolean {
    const ring = this.rings.get(index)!
    return Atomics.load(ring.avail.u16, (ring.availAt + 2) >> 1) !== ring.nextAvail
  }
}
