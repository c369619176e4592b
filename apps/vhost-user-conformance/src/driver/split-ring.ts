import {
  AVAIL_ALIGN,
  AVAIL_FLAGS_OFFSET,
  AVAIL_IDX_OFFSET,
  availEventOffset,
  availRingBytes,
  availRingOffset,
  DESC_ADDR_OFFSET,
  DESC_ALIGN,
  DESC_BYTES,
  DESC_FLAGS_OFFSET,
  DESC_LEN_OFFSET,
  DESC_NEXT_OFFSET,
  USED_FLAGS_OFFSET,
  USED_IDX_OFFSET,
  usedEventOffset,
  usedRingBytes,
  usedRingOffset,
  VIRTQ_AVAIL_F_NO_INTERRUPT,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_USED_F_NO_NOTIFY,
} from '@vring/layout'
import { fail } from '../case.ts'
import type { BufferPiece, DriverRing, Interrupts, Used } from './driver-ring.ts'
import { PAGE_BYTES, type SharedMemory } from './shared-memory.ts'

export interface RingOptions {
  /** VIRTIO_F_EVENT_IDX is negotiated. Default false. */
  readonly eventIdx?: boolean
  /** Where the indices begin, as after a reconnect. Default: at the begin. */
  readonly start?: number
}

/** A split virtqueue (VirtIO 1.3 section 2.7), its driver's half. Each area has pages of its own. */
export class SplitRing implements DriverRing {
  readonly format = 'split'
  readonly memory: SharedMemory
  readonly size: number
  readonly desc: number
  readonly driver: number
  readonly device: number
  readonly eventIdx: boolean
  /** Descriptors of each chain in flight, by its head. */
  readonly #chains = new Map<number, number[]>()
  readonly #free: number[]
  #nextAvail: number
  #lastUsed: number

  constructor(memory: SharedMemory, size: number, { eventIdx = false, start = 0 }: RingOptions = {}) {
    this.memory = memory
    this.size = size
    this.eventIdx = eventIdx
    this.desc = memory.take(DESC_BYTES * size, Math.max(DESC_ALIGN, PAGE_BYTES))
    this.driver = memory.take(availRingBytes(size, true), Math.max(AVAIL_ALIGN, PAGE_BYTES))
    this.device = memory.take(usedRingBytes(size, true), PAGE_BYTES)
    this.#free = Array.from({ length: size }, (_, index) => size - 1 - index)
    this.#nextAvail = start
    this.#lastUsed = start
    memory.store16(this.driver + AVAIL_IDX_OFFSET, start)
    memory.store16(this.device + USED_IDX_OFFSET, start)
  }

  get inFlight(): number {
    return this.#chains.size
  }

  get base(): number {
    return this.#lastUsed
  }

  get room(): number {
    return this.#free.length
  }

  /** avail.idx as it will be published. */
  get nextAvail(): number {
    return this.#nextAvail
  }

  /** used.idx as the device has it. */
  get usedIdx(): number {
    return this.memory.load16(this.device + USED_IDX_OFFSET)
  }

  add(chain: readonly BufferPiece[], indirect = false): number {
    const count = indirect ? 1 : chain.length
    if (count > this.#free.length) fail(`the judge's own ring has no room for ${count} descriptors`)
    const indices = Array.from({ length: count }, () => this.#free.pop()!)
    const head = indices[0]!
    if (indirect) this.#writeIndirect(head, chain)
    else
      for (const [at, piece] of chain.entries()) {
        const next = indices[at + 1]
        const flags = (piece.writable ? VIRTQ_DESC_F_WRITE : 0) | (next === undefined ? 0 : VIRTQ_DESC_F_NEXT)
        this.writeDescriptor(indices[at]!, piece.address, piece.length, flags, next ?? 0)
      }
    this.#chains.set(head, indices)
    this.writeAvail(head)
    return head
  }

  /** Any descriptor, right or wrong, in the ring's table or at another offset of the memory. */
  writeDescriptor(
    index: number,
    address: number | bigint,
    length: number,
    flags: number,
    next: number,
    table: number = this.desc,
  ): void {
    const { view } = this.memory
    const at = table + DESC_BYTES * index
    view.setBigUint64(at + DESC_ADDR_OFFSET, BigInt.asUintN(64, BigInt(address)), true)
    view.setUint32(at + DESC_LEN_OFFSET, length, true)
    view.setUint16(at + DESC_FLAGS_OFFSET, flags, true)
    view.setUint16(at + DESC_NEXT_OFFSET, next, true)
  }

  /** Puts any head into the next slot of the available ring. */
  writeAvail(head: number): void {
    this.memory.view.setUint16(this.driver + availRingOffset(this.#nextAvail & (this.size - 1)), head, true)
    this.#nextAvail = (this.#nextAvail + 1) & 0xffff
  }

  publish(): void {
    this.writeAvailIdx(this.#nextAvail)
  }

  /** Any index, right or wrong. */
  writeAvailIdx(value: number): void {
    this.memory.store16(this.driver + AVAIL_IDX_OFFSET, value & 0xffff)
  }

  take(): Used | null {
    if (this.usedIdx === this.#lastUsed) return null
    const at = this.device + usedRingOffset(this.#lastUsed & (this.size - 1))
    const id = this.memory.view.getUint32(at, true)
    const length = this.memory.view.getUint32(at + 4, true)
    const chain = this.#chains.get(id)
    if (chain === undefined) fail(`used element ${this.#lastUsed} has id ${id}, of no chain that is in flight`)
    this.#chains.delete(id)
    this.#free.push(...chain)
    this.#lastUsed = (this.#lastUsed + 1) & 0xffff
    return { id, length }
  }

  wantInterrupts(when: Interrupts): void {
    const flags = when === 'never' ? VIRTQ_AVAIL_F_NO_INTERRUPT : 0
    this.memory.store16(this.driver + AVAIL_FLAGS_OFFSET, this.eventIdx ? 0 : flags)
    // With EVENT_IDX `never` is an index that is half a round away.
    const ahead = when === 'never' ? 0x8000 : when === 'always' ? 0 : when.after
    this.memory.store16(this.driver + usedEventOffset(this.size), (this.#lastUsed + ahead) & 0xffff)
  }

  wantsKick(): boolean {
    return (this.memory.load16(this.device + USED_FLAGS_OFFSET) & VIRTQ_USED_F_NO_NOTIFY) === 0
  }

  /** The index that the device wants to be kicked for (EVENT_IDX). */
  get availEvent(): number {
    return this.memory.load16(this.device + availEventOffset(this.size))
  }

  #writeIndirect(head: number, chain: readonly BufferPiece[]): void {
    const table = this.memory.take(DESC_BYTES * chain.length, DESC_ALIGN)
    for (const [at, { address, length, writable }] of chain.entries()) {
      const last = at + 1 === chain.length
      const flags = (writable ? VIRTQ_DESC_F_WRITE : 0) | (last ? 0 : VIRTQ_DESC_F_NEXT)
      this.writeDescriptor(at, address, length, flags, last ? 0 : at + 1, table)
    }
    this.writeDescriptor(head, this.memory.guest(table), DESC_BYTES * chain.length, VIRTQ_DESC_F_INDIRECT, 0)
  }
}
