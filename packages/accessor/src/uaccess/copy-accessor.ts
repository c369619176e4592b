import { AREAS, refused, VringError } from '@vring/layout'
import { type AccessCount, AccessCounters } from '../contract/access-counters.ts'
import type { Accessor, AccessorContext, RoundStatus } from '../contract/accessor.ts'
import { CopyWindow } from './copy-window.ts'
import type { UserAccess } from './user-access.ts'

/**
 * An accessor whose three areas are {@link CopyWindow}s over one {@link UserAccess}: vhost without a device IOTLB and
 * without direct mappings. Rounds have nothing to prepare, and every access has steps of its own, so that there is no lease.
 */
export class CopyAccessor implements Accessor {
  readonly name: string
  readonly desc: CopyWindow
  readonly driver: CopyWindow
  readonly device: CopyWindow
  readonly lease: null = null
  readonly counters: AccessCounters = new AccessCounters()
  private readonly descCopies: AccessCount = this.counters.counter('desc', 'copy')
  private readonly driverCopies: AccessCount = this.counters.counter('driver', 'copy')
  private readonly deviceCopies: AccessCount = this.counters.counter('device', 'copy')

  /**
   * @throws VringError ERR_OUT_OF_RANGE when an area is not below the space's limit (Linux: SET_VRING_ADDR gives
   * -EFAULT, `vhost_vq_access_ok`). ERR_UNSUPPORTED when there is a device IOTLB, as ring addresses are IOVAs then
   */
  constructor(name: string, context: AccessorContext, user: UserAccess) {
    const { ring } = context
    refuseIotlb(name, context)
    checkRingBelowLimit(context)
    this.name = name
    this.desc = new CopyWindow(user, ring.desc)
    this.driver = new CopyWindow(user, ring.driver)
    this.device = new CopyWindow(user, ring.device)
  }

  beginRound(): RoundStatus {
    return 'ready'
  }

  endRound(): void {
    this.descCopies.add(this.desc.takeHits())
    this.driverCopies.add(this.driver.takeHits())
    this.deviceCopies.add(this.device.takeHits())
  }

  close(): void {
    this.endRound()
  }
}

/**
 * For an accessor that takes ring addresses as user addresses.
 *
 * @throws VringError ERR_UNSUPPORTED with a device IOTLB
 */
export function refuseIotlb(name: string, { iotlb }: AccessorContext): void {
  if (iotlb === null) return
  throw new VringError('ERR_UNSUPPORTED', `${name}: ring addresses are IOVAs under a device IOTLB`, {
    field: 'iotlb',
    accepted: 'null',
  })
}

/**
 * The one check of a ring's areas that unchecked accesses rely on. Source: Linux `vhost_vq_access_ok`.
 *
 * @throws VringError ERR_OUT_OF_RANGE
 */
export function checkRingBelowLimit({ space, ring }: Pick<AccessorContext, 'space' | 'ring'>): void {
  const { limit } = space
  for (const name of AREAS) {
    const { address, length } = ring[name]
    if (address < 0 || length > limit - address)
      throw refused('ERR_OUT_OF_RANGE', name, address, `an area that ends at or below ${limit}`)
  }
}
