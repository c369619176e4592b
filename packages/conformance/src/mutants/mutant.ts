import {
  type Accessor,
  type AccessorContext,
  type AccessorPlugin,
  type AccessorSupports,
  type Cpu,
  defineAccessor,
  type Window,
} from '@vring/accessor'
import type { Access, AddressMap, MemoryView } from '@vring/memory'

/** A deliberately broken accessor, and the property that it must be found out by. */
export interface Mutant {
  readonly name: string
  /** What is wrong with it. */
  readonly flaw: string
  /** Title of the conformance case that must fail. */
  readonly killedBy: string
  /** Accessors that it can be made of; all when left out. */
  readonly appliesTo?: (plugin: AccessorPlugin) => boolean
  /** Makes it of a correct accessor. */
  mutate(plugin: AccessorPlugin): AccessorPlugin
}

/** Where a mutant differs from the accessor it is made of. */
export interface Mutation {
  readonly supports?: Partial<AccessorSupports>
  readonly context?: (context: AccessorContext) => AccessorContext
  readonly accessor?: (accessor: Accessor, context: AccessorContext) => Accessor
}

/** A plugin that differs from `plugin` by `mutation` and in nothing else. */
export function mutatePlugin(plugin: AccessorPlugin, mutation: Mutation): AccessorPlugin {
  const { context: mutateContext = (same) => same, accessor: mutateAccessor = (same) => same } = mutation
  return defineAccessor({
    name: plugin.name,
    apiVersion: plugin.apiVersion,
    description: plugin.description,
    supports: { ...plugin.supports, ...mutation.supports },
    options: plugin.options,
    create: (context, options) => mutateAccessor(plugin.create(mutateContext(context), options), context),
  })
}

/** An accessor whose windows are wrapped, each by `wrap`. */
export function wrapWindows(accessor: Accessor, wrap: (window: Window) => Window): Accessor {
  return delegate(accessor, {
    desc: wrap(accessor.desc),
    driver: wrap(accessor.driver),
    device: wrap(accessor.device),
  })
}

/** `accessor` with some members replaced. */
export function delegate(accessor: Accessor, members: Partial<Accessor>): Accessor {
  return {
    name: accessor.name,
    desc: accessor.desc,
    driver: accessor.driver,
    device: accessor.device,
    lease: accessor.lease,
    counters: accessor.counters,
    beginRound: () => accessor.beginRound(),
    endRound: () => accessor.endRound(),
    close: () => accessor.close(),
    ...members,
  }
}

/** A window that is another one: mutants override the method that they break. */
export class DelegatingWindow implements Window {
  readonly inner: Window

  constructor(inner: Window) {
    this.inner = inner
  }

  load16(offset: number): number {
    return this.inner.load16(offset)
  }

  load16Acquire(offset: number): number {
    return this.inner.load16Acquire(offset)
  }

  load32(offset: number): number {
    return this.inner.load32(offset)
  }

  loadWords(offset: number, out: Uint32Array, index: number, count: number): number {
    return this.inner.loadWords(offset, out, index, count)
  }

  store16(offset: number, value: number): number {
    return this.inner.store16(offset, value)
  }

  store16Release(offset: number, value: number): number {
    return this.inner.store16Release(offset, value)
  }

  store32(offset: number, value: number): number {
    return this.inner.store32(offset, value)
  }

  storeWords(offset: number, words: Uint32Array, index: number, count: number): number {
    return this.inner.storeWords(offset, words, index, count)
  }
}

/** A port that is another one: mutants override the step that they break. */
export class DelegatingCpu implements Cpu {
  readonly inner: Cpu

  constructor(inner: Cpu) {
    this.inner = inner
  }

  stac(): void {
    this.inner.stac()
  }

  clac(): void {
    this.inner.clac()
  }

  lfence(): void {
    this.inner.lfence()
  }

  mb(): void {
    this.inner.mb()
  }

  rmb(): void {
    this.inner.rmb()
  }

  wmb(): void {
    this.inner.wmb()
  }

  checkLimit(address: number, length: number, limit: number): boolean {
    return this.inner.checkLimit(address, length, limit)
  }

  predict(condition: boolean): boolean {
    return this.inner.predict(condition)
  }

  mask(value: number, limit: number): number {
    return this.inner.mask(value, limit)
  }

  indexNospec(index: number, size: number): number {
    return this.inner.indexNospec(index, size)
  }

  translate(map: AddressMap, address: number, length: number, access: Access): number {
    return this.inner.translate(map, address, length, access)
  }

  load16(words: Uint16Array, index: number): number {
    return this.inner.load16(words, index)
  }

  load16Acquire(words: Uint16Array, index: number): number {
    return this.inner.load16Acquire(words, index)
  }

  load32(words: Uint32Array, index: number): number {
    return this.inner.load32(words, index)
  }

  load64(words: Uint32Array, index: number): number {
    return this.inner.load64(words, index)
  }

  loadWords(words: Uint32Array, index: number, out: Uint32Array, at: number, count: number): void {
    this.inner.loadWords(words, index, out, at, count)
  }

  store16(words: Uint16Array, index: number, value: number): void {
    this.inner.store16(words, index, value)
  }

  store16Release(words: Uint16Array, index: number, value: number): void {
    this.inner.store16Release(words, index, value)
  }

  store32(words: Uint32Array, index: number, value: number): void {
    this.inner.store32(words, index, value)
  }

  storeWords(words: Uint32Array, index: number, from: Uint32Array, at: number, count: number): void {
    this.inner.storeWords(words, index, from, at, count)
  }

  copy(to: MemoryView, toOffset: number, from: MemoryView, fromOffset: number, length: number): void {
    this.inner.copy(to, toOffset, from, fromOffset, length)
  }

  lock(): void {
    this.inner.lock()
  }

  unlock(): void {
    this.inner.unlock()
  }

  iotlbLookup(): void {
    this.inner.iotlbLookup()
  }
}
