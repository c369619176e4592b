import {
  Cell,
  type MappingSlot,
  type MmuNotifierOps,
  type MmuNotifierRange,
  type MmuNotifierRegistry,
  type RangeSync,
  type SlotMapping,
  type SlotRange,
  SpinlockSync,
  type SyncPort,
} from '@vring/mmu-notifier'
import type { SyncFactory } from '../mapped-accessor.ts'
import { ModelNotifiers } from '../model-notifiers.ts'
import { CountedSync } from './faulty-counts.ts'

/** M1: the result of the registration is ignored, and what was never taken is given back. */
export class IgnoredRegistrationSync<M extends SlotMapping> extends SpinlockSync<M> {
  override attach(registry: MmuNotifierRegistry): boolean {
    if (!super.attach(registry) && registry instanceof ModelNotifiers)
      this.port.store(this.registration, () => registry.unregister(this))
    return true
  }
}

/** M2: each change of the ring unregisters and registers again, between a start and its end if it happens so. */
export class ReregisteringSync<M extends SlotMapping> extends CountedSync<M> {
  readonly registry: Cell<MmuNotifierRegistry | null> = new Cell<MmuNotifierRegistry | null>('registry', null)

  override attach(registry: MmuNotifierRegistry): boolean {
    this.port.store(this.registry, registry)
    return super.attach(registry)
  }

  override arm(ranges: readonly (SlotRange | null)[], change?: () => void): void {
    this.detach()
    this.resetCount()
    super.arm(ranges, change)
    const registry = this.port.load(this.registry)
    if (registry !== null) super.attach(registry)
  }

  /** Nothing: what the fourth fix of August 2019 added. */
  protected resetCount(): void {}
}

/** M2, other half: the count is reset, but the end of an invalidation that began before is told. */
export class ResettingSync<M extends SlotMapping> extends ReregisteringSync<M> {
  protected override resetCount(): void {
    this.port.store(this.count, 0)
  }
}

type Invalidated = Pick<RangeSync<SlotMapping>, 'invalidateRangeStart' | 'invalidateRangeEnd'>

/** M14: one registration for all queues of a device, taken away by the control messages of any of them. */
export class DeviceRegistration implements MmuNotifierOps {
  readonly name: string = 'vhost device'
  readonly #queues: Invalidated[] = []

  add(queue: Invalidated): void {
    this.#queues.push(queue)
  }

  invalidateRangeStart(range: MmuNotifierRange): number {
    let status = 0
    for (const queue of this.#queues) status ||= queue.invalidateRangeStart(range)
    return status
  }

  invalidateRangeEnd(range: MmuNotifierRange): void {
    for (const queue of this.#queues) queue.invalidateRangeEnd(range)
  }
}

/** One {@link DeviceRegistration} for the queues of each world that is set up. */
export function sharedRegistration(): SyncFactory {
  const devices = new WeakMap<MmuNotifierRegistry, DeviceRegistration>()
  return (port, slots) => new SharedRegistrationSync(port, slots, devices)
}

/** M14: see {@link DeviceRegistration}. */
export class SharedRegistrationSync<M extends SlotMapping> extends SpinlockSync<M> {
  readonly #devices: WeakMap<MmuNotifierRegistry, DeviceRegistration>
  readonly #registry: Cell<ModelNotifiers | null> = new Cell<ModelNotifiers | null>('registry', null)

  constructor(
    port: SyncPort,
    slots: readonly MappingSlot<M>[],
    devices: WeakMap<MmuNotifierRegistry, DeviceRegistration>,
  ) {
    super(port, slots)
    this.#devices = devices
  }

  override attach(registry: MmuNotifierRegistry): boolean {
    if (!(registry instanceof ModelNotifiers)) return false
    let device = this.#devices.get(registry)
    if (device === undefined) {
      device = new DeviceRegistration()
      this.#devices.set(registry, device)
      registry.register(device)
    }
    device.add(this)
    this.port.store(this.#registry, registry)
    return true
  }

  override arm(ranges: readonly (SlotRange | null)[], change?: () => void): void {
    const registry = this.port.load(this.#registry)!
    const device = this.#devices.get(registry)!
    registry.unregister(device)
    super.arm(ranges, change)
    registry.register(device)
  }
}

/** M15: closing unregisters first and takes the mappings down afterwards. */
export class EarlyUnregisterSync<M extends SlotMapping> extends SpinlockSync<M> {
  override close(): void {
    this.detach()
    super.close()
  }
}
