import { DirectAccessor } from '@vring/accessor-vmap-direct'
import type { RingAreas } from '@vring/layout'

/** M4: arms the new addresses before they are checked. */
export class EagerAccessor extends DirectAccessor {
  override setRing(ring: RingAreas): void {
    this.sync.arm(
      [ring.desc, ring.avail, ring.used].map(({ address, length }) => ({ start: address, end: address + length })),
    )
    super.setRing(ring)
  }
}

/** M25: leaves what is mapped when a device IOTLB comes. */
export class StubbornAccessor extends DirectAccessor {
  override disarm(): void {}
}
