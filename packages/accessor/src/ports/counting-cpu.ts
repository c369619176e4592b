import type { Access, AddressMap, MemoryView } from '@vring/memory'
import type { Cpu } from './cpu.ts'
import { plainCpu } from './plain-cpu.ts'

/** How often each step was taken; bytes for `copyBytes`. */
export interface Steps {
  stac: number
  clac: number
  lfence: number
  mb: number
  rmb: number
  wmb: number
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
    rmb: 0,
    wmb: 0,
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
export class CountingCpu implements Cpu {
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

  rmb(): void {
    this.steps.rmb++
    plainCpu.rmb()
  }

  wmb(): void {
    this.steps.wmb++
    plainCpu.wmb()
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

  indexNospec(index: number, size: number): number {
    this.steps.mask++
    return plainCpu.indexNospec(index, size)
  }

  translate(map: AddressMap, address: number, length: number, access: Access): number {
    this.steps.walk++
    return plainCpu.translate(map, address, length, access)
  }

  load16(words: Uint16Array, index: number): number {
    this.steps.load++
    return plainCpu.load16(words, index)
  }

  load16Acquire(words: Uint16Array, index: number): number {
    this.steps.load++
    return plainCpu.load16Acquire(words, index)
  }

  load32(words: Uint32Array, index: number): number {
    this.steps.load++
    return plainCpu.load32(words, index)
  }

  load64(words: Uint32Array, index: number): number {
    this.steps.load++
    return plainCpu.load64(words, index)
  }

  loadWords(words: Uint32Array, index: number, out: Uint32Array, at: number, count: number): void {
    this.steps.load += Math.ceil(count / 2)
    plainCpu.loadWords(words, index, out, at, count)
  }

  store16(words: Uint16Array, index: number, value: number): void {
    this.steps.store++
    plainCpu.store16(words, index, value)
  }

  store16Release(words: Uint16Array, index: number, value: number): void {
    this.steps.store++
    plainCpu.store16Release(words, index, value)
  }

  store32(words: Uint32Array, index: number, value: number): void {
    this.steps.store++
    plainCpu.store32(words, index, value)
  }

  storeWords(words: Uint32Array, index: number, from: Uint32Array, at: number, count: number): void {
    this.steps.store += Math.ceil(count / 2)
    plainCpu.storeWords(words, index, from, at, count)
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
