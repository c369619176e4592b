import {
  AccessCounters,
  type Accessor,
  type AccessorContext,
  AREAS,
  CopyWindow,
  checkRingBelowLimit,
  type PlainChains,
  type RoundStatus,
  type UserAccess,
} from '@vring/accessor'
import { type RingAreas, VringError } from '@vring/layout'
import type { MappingKind, MapRefusal } from '@vring/memory'
import { Cell, MappingSlot, type MappingSync, type SlotRange, type SyncPort } from '@vring/mmu-notifier'
import type { DirectMap } from './direct-map.ts'
import { DirectWindow } from './direct-window.ts'

/** What a {@link DirectAccessor} is made of beside its context. */
export interface DirectAccessorOptions {
  readonly name: string
  readonly mapping: MappingKind
  readonly nospec: boolean
  /** How accesses without a mapping reach memory. */
  readonly user: UserAccess
  /** Where shared variables and locks are. */
  readonly port: SyncPort
  /** Makes the strategy that keeps the mappings and the MMU notifier apart. */
  readonly sync: (port: SyncPort, slots: readonly MappingSlot<DirectMap>[]) => MappingSync<DirectMap>
}

/**
 * Three {@link DirectWindow}s whose mappings are made at the beginning of a round, taken away by the MMU notifier, and
 * shared under one strategy. A space that refuses the registration is never mapped: every access is a copy.
 */
export class DirectAccessor implements Accessor {
  readonly name: string
  readonly desc: DirectWindow
  readonly avail: DirectWindow
  readonly used: DirectWindow
  readonly counters: AccessCounters = new AccessCounters()
  readonly sync: MappingSync<DirectMap>
  readonly #context: AccessorContext
  readonly #user: UserAccess
  readonly #port: SyncPort
  /** Why nothing may be mapped, or null. */
  readonly #obstacle: Cell<MapRefusal | null> = new Cell<MapRefusal | null>('obstacle', null)
  readonly #closed: Cell<boolean> = new Cell('closed', false)

  /**
   * @throws VringError ERR_OUT_OF_RANGE when an area is not below the space's limit; ERR_UNSUPPORTED when there is a
   * device IOTLB, as ring addresses are IOVAs then, which no mapping of user memory translates
   */
  constructor(context: AccessorContext, options: DirectAccessorOptions) {
    const { cpu, space, ring } = context
    const { name, mapping, nospec, user, port } = options
    if (context.iotlb !== null)
      throw new VringError('ERR_UNSUPPORTED', `${name}: ring addresses are IOVAs under a device IOTLB`, {
        field: 'iotlb',
        accepted: 'null',
      })
    checkRingBelowLimit(context)
    const slots = AREAS.map((area) => new MappingSlot<DirectMap>(area, area === 'used'))
    this.name = name
    this.#context = context
    this.#user = user
    this.#port = port
    this.sync = options.sync(port, slots)
    const queue = { cpu, space, port, sync: this.sync, counters: this.counters, mapping, nospec }
    const [desc, avail, used] = AREAS.map(
      (area, index) =>
        new DirectWindow(slots[index]!, area, ring[area], new CopyWindow(user, ring[area].address), queue),
    ) as [DirectWindow, DirectWindow, DirectWindow]
    this.desc = desc
    this.avail = avail
    this.used = used
    if (this.sync.attach(space.notifiers)) this.sync.arm(rangesOf(ring))
    else this.#obstruct('no-notifier')
  }

  beginRound(): RoundStatus {
    this.sync.beginRound()
    if (this.#port.load(this.#obstacle) !== null) return 'ready'
    this.desc.prefetch()
    this.avail.prefetch()
    this.used.prefetch()
    return 'ready'
  }

  loadPlain(slot: number, count: number, queueSize: number, out: PlainChains, index: number): number {
    return this.avail.loadPlain(this.desc, slot, count, queueSize, out, index)
  }

  endRound(): void {
    this.desc.flush()
    this.avail.flush()
    this.used.flush()
    this.sync.endRound()
  }

  /**
   * Moves the queue to another ring (SET_VRING_ADDR, SET_VRING_NUM) between two rounds. Nothing changes when the ring is
   * refused; no mapping of the old ring survives when it is not.
   *
   * @throws VringError ERR_OUT_OF_RANGE when an area is not below the space's limit, ERR_CLOSED after {@link close}
   */
  setRing(ring: RingAreas): void {
    if (this.#port.load(this.#closed)) throw new VringError('ERR_CLOSED', `${this.name}: the accessor is closed`)
    checkRingBelowLimit({ ...this.#context, ring })
    const armed = this.#port.load(this.#obstacle) === null
    this.sync.arm(armed ? rangesOf(ring) : NO_RANGES, () => {
      for (const area of AREAS) {
        this.#port.store(this[area].copy, new CopyWindow(this.#user, ring[area].address))
        this.#port.store(this[area].length, ring[area].length)
      }
    })
  }

  /**
   * Takes all mappings down for good; accesses fall back under this reason. With `iotlb`, the device has been given an
   * IOTLB: the caller goes on with an accessor that translates.
   */
  disarm(reason: MapRefusal): void {
    this.sync.arm(NO_RANGES)
    this.#obstruct(reason)
  }

  close(): void {
    if (this.#port.load(this.#closed)) return
    this.#port.store(this.#closed, true)
    this.sync.close()
    for (const area of AREAS) this[area].flush()
  }

  #obstruct(reason: MapRefusal): void {
    this.#port.store(this.#obstacle, reason)
    for (const area of AREAS) this[area].because(reason)
  }
}

const NO_RANGES: readonly (SlotRange | null)[] = [null, null, null]

function rangesOf(ring: RingAreas): readonly SlotRange[] {
  return AREAS.map((area) => {
    const { address, length } = ring[area]
    return { start: address, end: address + length }
  })
}
