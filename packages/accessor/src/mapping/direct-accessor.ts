import { AREAS, type Area, type RingAreas, VringError } from '@vring/layout'
import type { MappingKind, MapRefusal } from '@vring/memory'
import { Cell, type MappingSlot, type MappingSync, type SyncPort } from '@vring/mmu-notifier'
import { AccessCounters } from '../contract/access-counters.ts'
import type { Accessor, AccessorContext, RoundStatus } from '../contract/accessor.ts'
import type { RingLease } from '../contract/ring-lease.ts'
import { checkRingBelowLimit, refuseIotlb } from '../uaccess/copy-accessor.ts'
import { CopyWindow } from '../uaccess/copy-window.ts'
import type { UserAccess } from '../uaccess/user-access.ts'
import type { DirectMap } from './direct-map.ts'
import { type HoldKind, MappedAreas, rangesOf } from './mapped-areas.ts'
import type { MappedWindow } from './mapped-window.ts'

/** What a {@link DirectAccessor} is made of beside its context. */
export interface DirectAccessorOptions {
  readonly name: string
  readonly mapping: MappingKind
  /** Default `batch`. */
  readonly hold?: HoldKind
  /** How accesses without a mapping reach memory. */
  readonly user: UserAccess
  /** Where shared variables and locks are. */
  readonly port: SyncPort
  /** Makes the strategy that keeps the mappings and the MMU notifier apart. */
  readonly sync: (port: SyncPort, slots: readonly MappingSlot<DirectMap>[]) => MappingSync<DirectMap>
}

/** {@link MappedAreas} at the ring's user addresses, with user access where there is no mapping. */
export class DirectAccessor implements Accessor {
  readonly name: string
  readonly desc: MappedWindow
  readonly driver: MappedWindow
  readonly device: MappedWindow
  readonly lease: RingLease | null
  readonly counters: AccessCounters = new AccessCounters()
  readonly areas: MappedAreas
  readonly #context: AccessorContext
  readonly #user: UserAccess
  readonly #port: SyncPort
  readonly #closed: Cell<boolean> = new Cell('closed', false)

  /**
   * @throws VringError ERR_OUT_OF_RANGE when an area is not below the space's limit. ERR_UNSUPPORTED when there is a
   * device IOTLB: ring addresses are IOVAs then, which no mapping of user memory translates.
   */
  constructor(context: AccessorContext, options: DirectAccessorOptions) {
    const { cpu, space, ring } = context
    const { name, mapping, hold = 'batch', user, port, sync } = options
    refuseIotlb(name, context)
    checkRingBelowLimit(context)
    const fallback = copyWindows(user, ring)
    this.name = name
    this.#context = context
    this.#user = user
    this.#port = port
    this.areas = new MappedAreas({
      cpu,
      space,
      ring,
      counters: this.counters,
      fallback,
      mapping,
      hold,
      port,
      sync,
    })
    this.desc = this.areas.desc
    this.driver = this.areas.driver
    this.device = this.areas.device
    this.lease = this.areas.lease
    this.areas.arm(rangesOf(ring))
  }

  get sync(): MappingSync<DirectMap> {
    return this.areas.sync
  }

  beginRound(): RoundStatus {
    this.areas.beginRound()
    return 'ready'
  }

  endRound(): void {
    this.areas.endRound()
  }

  /**
   * Moves the queue to another ring (SET_VRING_ADDR, SET_VRING_NUM) between two rounds, as the patch of 2019 has to. Nothing
   * changes when the ring is refused; no mapping of the old ring survives when it is not.
   *
   * @throws VringError ERR_OUT_OF_RANGE when an area is not below the space's limit, ERR_CLOSED after {@link close}
   */
  setRing(ring: RingAreas): void {
    if (this.#port.load(this.#closed)) throw new VringError('ERR_CLOSED', `${this.name}: the accessor is closed`)
    checkRingBelowLimit({ ...this.#context, ring })
    this.areas.arm(rangesOf(ring), () => {
      const fallback = copyWindows(this.#user, ring)
      for (const area of AREAS) this.#port.store(this[area].fallback, fallback[area])
    })
  }

  /**
   * Takes all mappings down for good; accesses fall back under this reason. With `iotlb`, the device has been given an
   * IOTLB: the caller goes on with an accessor that translates.
   */
  disarm(reason: MapRefusal): void {
    this.areas.disarm(reason)
  }

  close(): void {
    if (this.#port.load(this.#closed)) return
    this.#port.store(this.#closed, true)
    this.areas.close()
  }
}

function copyWindows(user: UserAccess, ring: RingAreas): Readonly<Record<Area, CopyWindow>> {
  return {
    desc: new CopyWindow(user, ring.desc),
    driver: new CopyWindow(user, ring.driver),
    device: new CopyWindow(user, ring.device),
  }
}
