import type { AccessorContext } from '@vring/accessor'
import { DirectAccessor, type DirectAccessorOptions } from '@vring/accessor-vmap-direct'
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

/** M18: a used element whose mapping went away in mid-batch is dropped, not copied. */
export class DroppingAccessor extends DirectAccessor {
  constructor(context: AccessorContext, options: DirectAccessorOptions) {
    super(context, options)
    const { used } = this
    const store = used.storeUsed.bind(used)
    used.storeUsed = (offset, elements, index, count) =>
      options.port.load(used.slot.map) === null ? 0 : store(offset, elements, index, count)
  }
}
