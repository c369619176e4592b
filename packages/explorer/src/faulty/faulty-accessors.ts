import type { AccessorContext } from '@vring/accessor'
import type { RingAreas } from '@vring/layout'
import type { MapRefusal } from '@vring/memory'
import type { MappedAccessorClass, MappedAccessorOptions } from '../mapped-accessor.ts'

/** M4: arms the new addresses before they are checked. */
export const eagerAccessor = (Direct: MappedAccessorClass): MappedAccessorClass =>
  class EagerAccessor extends Direct {
    override setRing(ring: RingAreas): void {
      this.sync.arm(
        [ring.desc, ring.driver, ring.device].map(({ address, length }) => ({ start: address, end: address + length })),
      )
      super.setRing(ring)
    }
  }

/** M25: leaves what is mapped when a device IOTLB comes. */
export const stubbornAccessor = (Direct: MappedAccessorClass): MappedAccessorClass =>
  class StubbornAccessor extends Direct {
    override disarm(_reason: MapRefusal): void {}
  }

/** M18: a used element whose mapping went away in mid-batch is dropped, not copied. */
export const droppingAccessor = (Direct: MappedAccessorClass): MappedAccessorClass =>
  class DroppingAccessor extends Direct {
    constructor(context: AccessorContext, options: MappedAccessorOptions) {
      super(context, options)
      const { device } = this
      const store = device.storeWords.bind(device)
      device.storeWords = (offset, words, index, count) =>
        options.port.load(device.slot.map) === null ? 0 : store(offset, words, index, count)
    }
  }
