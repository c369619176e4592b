import type { Iotlb } from '@vring/iotlb'
import { type AddressMap, GuestMap, MappedSpace, memoryView, type UserSpace } from '@vring/memory'
import type { CellSpec } from '../cell-spec.ts'
import { GUEST_BASE, type Poke, type RingPlan, USER_BASE } from './ring-layout.ts'

/** A driver's memory and how the device gets at it. */
export interface DriverMemory {
  /** User address of its first byte. */
  readonly base: number
  readonly space: UserSpace
  /** Where descriptors point: guest-physical regions, or the device IOTLB. */
  readonly buffers: AddressMap
  readonly iotlb: Iotlb | null
  readonly poke: Poke
  /** A copy of `length` bytes from `offset`. */
  peek(offset: number, length: number): Uint8Array
}

export function createDriverMemory(spec: CellSpec, plan: RingPlan): DriverMemory {
  const view = memoryView(new ArrayBuffer(plan.bytes))
  const space = new MappedSpace([{ address: USER_BASE, length: plan.bytes, view, viewOffset: 0 }])
  if (spec.iotlb) throw new Error('not yet')
  const buffers = new GuestMap(space, [{ guestAddress: GUEST_BASE, length: plan.bytes, userAddress: USER_BASE }])
  return {
    base: USER_BASE,
    space,
    buffers,
    iotlb: null,
    poke: (o, b) => view.u8.set(b, o),
    peek: (o, n) => view.u8.slice(o, o + n),
  }
}
