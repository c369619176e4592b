import type { Accessor } from '@vring/accessor'
import { EAGAIN } from '@vring/layout'
import type { Access, AddressMap, MemoryView } from '@vring/memory'
import { DelegatingWindow, delegate, wrapWindows } from '../mutants/mutant.ts'

/** Stands before each access of a window: makes it by `run`, or gives an errno in its place. */
export type Guard = (access: string, run: () => number) => number

/** A window whose accesses pass a {@link Guard}. */
export class GuardedWindow extends DelegatingWindow {
  readonly #guard: Guard

  constructor(inner: DelegatingWindow['inner'], guard: Guard) {
    super(inner)
    this.#guard = guard
  }

  override load16(offset: number): number {
    return this.#guard('load16', () => super.load16(offset))
  }

  override load16Acquire(offset: number): number {
    return this.#guard('load16Acquire', () => super.load16Acquire(offset))
  }

  override load32(offset: number): number {
    return this.#guard('load32', () => super.load32(offset))
  }

  override loadWords(offset: number, out: Uint32Array, index: number, count: number): number {
    return this.#guard('loadWords', () => super.loadWords(offset, out, index, count))
  }

  override store16(offset: number, value: number): number {
    return this.#guard('store16', () => super.store16(offset, value))
  }

  override store16Release(offset: number, value: number): number {
    return this.#guard('store16Release', () => super.store16Release(offset, value))
  }

  override store32(offset: number, value: number): number {
    return this.#guard('store32', () => super.store32(offset, value))
  }

  override storeWords(offset: number, words: Uint32Array, index: number, count: number): number {
    return this.#guard('storeWords', () => super.storeWords(offset, words, index, count))
  }
}

/** Watches that a lease is held when it is used, and what is done meanwhile. */
export interface HoldWatch {
  hold(): void
  release(): void
  readonly access: Guard
}

/** An accessor whose holds and accesses are watched; its lease is told of in place. */
export function watchHolds(accessor: Accessor, watch: HoldWatch): Accessor {
  const guarded = wrapWindows(accessor, (window) => new GuardedWindow(window, watch.access))
  const { lease } = accessor
  if (lease === null) return guarded
  const hold = lease.hold.bind(lease)
  const release = lease.release.bind(lease)
  lease.hold = () => {
    const held = hold()
    if (held) watch.hold()
    return held
  }
  lease.release = (...counts) => {
    watch.release()
    release(...counts)
  }
  return delegate(guarded, { lease })
}

/** Translations that can go missing: each access then gives -EAGAIN, and nothing is held. */
export class Translations {
  missing = false

  /** An accessor that goes by them. */
  cover(accessor: Accessor): Accessor {
    const guarded = wrapWindows(
      accessor,
      (window) => new GuardedWindow(window, (_, run) => (this.missing ? EAGAIN : run())),
    )
    const { lease } = accessor
    if (lease === null) return guarded
    const hold = lease.hold.bind(lease)
    lease.hold = () => !this.missing && hold()
    return delegate(guarded, { lease })
  }
}

/** Buffers of which some addresses have no translation. */
export class HoledBuffers implements AddressMap {
  /** First address without one; Infinity: none. */
  from = Number.POSITIVE_INFINITY
  /** The first address that has one again. */
  to = Number.POSITIVE_INFINITY
  #inner: AddressMap | null = null

  follow(inner: AddressMap): void {
    this.#inner = inner
  }

  get view(): MemoryView {
    return this.#inner!.view
  }

  get span(): number {
    return this.#inner!.span
  }

  resolve(address: number, length: number, access: Access): number {
    return this.#covers(address, length) ? this.#inner!.resolve(address, length, access) : EAGAIN
  }

  resolveSpan(address: number, length: number, access: Access): number {
    return this.#covers(address, length) ? this.#inner!.resolveSpan(address, length, access) : EAGAIN
  }

  #covers(address: number, length: number): boolean {
    return address + length <= this.from || address >= this.to
  }
}
