import { refused, VringError } from '@vring/layout'
import { type AccessCount, AccessCounters, AREAS } from './access-counters.ts'
import type { Accessor, AccessorContext, RoundStatus } from './accessor.ts'
import { CopyWindow } from './copy-window.ts'
import type { UserAccess } from './user-access.ts'

/**
 * An accessor whose three areas are {@link CopyWindow}s over one {@link UserAccess}: vhost without a device IOTLB and
 * without direct mappings. Rounds have nothing to prepare.
 */
export class CopyAccessor implements Accessor {
  readonly name: string
  readonly desc: CopyWindow
  readonly avail: CopyWindow
  readonly used: CopyWindow
  readonly counters: AccessCounters = new AccessCounters()
  private readonly descCopies: AccessCount = this.counters.counter('desc', 'copy')
  private readonly availCopies: AccessCount = this.counters.counter('avail', 'copy')
  private readonly usedCopies: AccessCount = this.counters.counter('used', 'copy')

  /**
   * @throws VringError ERR_OUT_OF_RANGE when an area is not below the space's limit (Linux: SET_VRING_ADDR gives
   * -EFAULT, `vhost_vq_access_ok`); ERR_UNSUPPORTED when there is a device IOTLB, as ring addresses are IOVAs then
   */
  constructor(name: string, context: AccessorContext, user: UserAccess) {
    const { ring } = context
    if (context.iotlb !== null)
      throw new VringError('ERR_UNSUPPORTED', `${name}: ring addresses are IOVAs under a device IOTLB`, {
        field: 'iotlb',
        accepted: 'null',
      })
    checkRingBelowLimit(context)
    this.name = name
    this.desc = new CopyWindow(user, ring.desc.address)
    this.avail = new CopyWindow(user, ring.avail.address)
    this.used = new CopyWindow(user, ring.used.address)
  }

  beginRound(): RoundStatus {
    return 'ready'
  }

  endRound(): void {
    this.descCopies.add(this.desc.takeHits())
    this.availCopies.add(this.avail.takeHits())
    this.usedCopies.add(this.used.takeHits())
  }

  close(): void {
    this.endRound()
  }
}

/**
 * The one check of a ring's areas that unchecked accesses rely on. Source: Linux `vhost_vq_access_ok`.
 *
 * @throws VringError ERR_OUT_OF_RANGE
 */
export function checkRingBelowLimit(context: AccessorContext): void {
  const { limit } = context.space
  for (const name of AREAS) {
    const { address, length } = context.ring[name]
    if (address < 0 || length > limit - address)
      throw refused('ERR_OUT_OF_RANGE', name, address, `an area that ends at or below 0x${limit.toString(16)}`)
  }
}
