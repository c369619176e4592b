import type { Access, AddressMap, MemoryView } from '@vring/memory'
import { CountingCpu } from './counting-cpu.ts'
import type { Step } from './steps.ts'

/** One step as it happened. */
export interface RecordedStep {
  readonly step: Step
  /** Address of a walk, byte offset in the view of a load or store, else -1. */
  readonly at: number
  /** Bytes of a walk, load or store, else 0. */
  readonly length: number
  /** The access orders others: an acquire load or a release store. */
  readonly ordered: boolean
}

/**
 * The port that remembers: counts as {@link CountingCpu} does and keeps every step in order. For tests and for people;
 * it allocates.
 */
export class RecordingCpu extends CountingCpu {
  readonly recorded: RecordedStep[] = []

  /** The names of the steps recorded so far. */
  names(): Step[] {
    return this.recorded.map(({ step }) => step)
  }

  /** Forgets what was recorded and counted. */
  override reset(): void {
    super.reset()
    this.recorded.length = 0
  }

  override stac(): void {
    this.#record('stac')
    super.stac()
  }

  override clac(): void {
    this.#record('clac')
    super.clac()
  }

  override lfence(): void {
    this.#record('lfence')
    super.lfence()
  }

  override mb(): void {
    this.#record('mb')
    super.mb()
  }

  override checkLimit(address: number, length: number, limit: number): boolean {
    this.#record('limitCheck', address, length)
    return super.checkLimit(address, length, limit)
  }

  override predict(condition: boolean): boolean {
    this.#record('predict')
    return super.predict(condition)
  }

  override mask(value: number, limit: number): number {
    this.#record('mask', value)
    return super.mask(value, limit)
  }

  override translate(map: AddressMap, address: number, length: number, access: Access): number {
    this.#record('walk', address, length)
    return super.translate(map, address, length, access)
  }

  override load16(view: MemoryView, offset: number): number {
    this.#record('load', offset, 2)
    return super.load16(view, offset)
  }

  override load16Acquire(view: MemoryView, offset: number): number {
    this.#record('load', offset, 2, true)
    return super.load16Acquire(view, offset)
  }

  override load32(view: MemoryView, offset: number): number {
    this.#record('load', offset, 4)
    return super.load32(view, offset)
  }

  override loadDescriptor(view: MemoryView, offset: number, out: Uint32Array, index: number): void {
    this.#record('load', offset, 8)
    this.#record('load', offset + 8, 8)
    super.loadDescriptor(view, offset, out, index)
  }

  override store16(view: MemoryView, offset: number, value: number): void {
    this.#record('store', offset, 2)
    super.store16(view, offset, value)
  }

  override store16Release(view: MemoryView, offset: number, value: number): void {
    this.#record('store', offset, 2, true)
    super.store16Release(view, offset, value)
  }

  override store32(view: MemoryView, offset: number, value: number): void {
    this.#record('store', offset, 4)
    super.store32(view, offset, value)
  }

  override storeUsed(view: MemoryView, offset: number, elements: Uint32Array, index: number, count: number): void {
    for (let i = 0; i < count; i++) this.#record('store', offset + 8 * i, 8)
    super.storeUsed(view, offset, elements, index, count)
  }

  override lock(): void {
    this.#record('lock')
    super.lock()
  }

  override iotlbLookup(): void {
    this.#record('iotlbLookup')
    super.iotlbLookup()
  }

  #record(step: Step, at = -1, length = 0, ordered = false): void {
    this.recorded.push({ step, at, length, ordered })
  }
}
