import type { Access, AddressMap, MemoryView } from '@vring/memory'
import { OneByOneCpu } from './one-by-one-cpu.ts'
import { plainCpu } from './plain-cpu.ts'

/** How often each step was taken; bytes for `copyBytes`. */
export interface Steps {
  stac: number
  clac: number
  lfence: number
  mb: number
  limitCheck: number
  mask: number
  walk: number
  load: number
  store: number
  copyBytes: number
  lock: number
  iotlbLookup: number
}

/** All counts zero. */
export function noSteps(): Steps {
  return {
    stac: 0,
    clac: 0,
    lfence: 0,
    mb: 0,
    limitCheck: 0,
    mask: 0,
    walk: 0,
    load: 0,
    store: 0,
    copyBytes: 0,
    lock: 0,
    iotlbLookup: 0,
  }
}

/**
 * The port that counts: does what {@link plainCpu} does and counts every step. It also keeps EFLAGS.AC, which an address
 * space with SMAP asks for.
 */
export class CountingCpu extends OneByOneCpu {
  readonly steps: Steps = noSteps()
  /** EFLAGS.AC: true between stac and clac. */
  ac = false

  stac(): void {
    this.steps.stac++
    this.ac = true
  }

  clac(): void {
    this.steps.clac++
    this.ac = false
  }

  lfence(): void {
    this.steps.lfence++
  }

  mb(): void {
    this.steps.mb++
    plainCpu.mb()
  }

  checkLimit(address: number, length: number, limit: number): boolean {
    this.steps.limitCheck++
    return plainCpu.checkLimit(address, length, limit)
  }

  predict(condition: boolean): boolean {
    return condition
  }

  mask(value: number, limit: number): number {
    this.steps.mask++
    return plainCpu.mask(value, limit)
  }

  translate(map: AddressMap, address: number, length: number, access: Access): number {
    this.steps.walk++
    return plainCpu.translate(map, address, length, access)
  }

  load16(view: MemoryView, offset: number): number {
    this.steps.load++
    return plainCpu.load16(view, offset)
  }

  load16Acquire(view: MemoryView, offset: number): number {
    this.steps.load++
    return plainCpu.load16Acquire(view, offset)
  }

  load32(view: MemoryView, offset: number): number {
    this.steps.load++
    return plainCpu.load32(view, offset)
  }

  loadDescriptor(view: MemoryView, offset: number, out: Uint32Array, index: number): void {
    this.steps.load += 2
    plainCpu.loadDescriptor(view, offset, out, index)
  }

  store16(view: MemoryView, offset: number, value: number): void {
    this.steps.store++
    plainCpu.store16(view, offset, value)
  }

  store16Release(view: MemoryView, offset: number, value: number): void {
    this.steps.store++
    plainCpu.store16Release(view, offset, value)
  }

  store32(view: MemoryView, offset: number, value: number): void {
    this.steps.store++
    plainCpu.store32(view, offset, value)
  }

  storeUsed(view: MemoryView, offset: number, elements: Uint32Array, index: number, count: number): void {
    this.steps.store += count
    plainCpu.storeUsed(view, offset, elements, index, count)
  }

  copy(to: MemoryView, toOffset: number, from: MemoryView, fromOffset: number, length: number): void {
    this.steps.copyBytes += length
    plainCpu.copy(to, toOffset, from, fromOffset, length)
  }

  lock(): void {
    this.steps.lock++
  }

  unlock(): void {}

  iotlbLookup(): void {
    this.steps.iotlbLookup++
  }

  /** Sets all counts to zero. */
  reset(): void {
    Object.assign(this.steps, noSteps())
  }
}
