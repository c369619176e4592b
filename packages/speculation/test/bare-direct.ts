import {
  ACCESSOR_API_VERSION,
  AccessCounters,
  type Accessor,
  type AccessorContext,
  type AccessorPlugin,
  CopyAccessor,
  type Cpu,
  defineAccessor,
  type UserAccess,
  type Window,
} from '@vring/accessor'
import type { RingArea } from '@vring/layout'
import type { KernelMapping } from '@vring/memory'

const supports = {
  fileBacked: true,
  iotlb: false,
  noIotlb: true,
  needsMmuNotifier: false,
  needsPrefetch: false,
  speculationSafe: true,
  fallsBack: false,
}

export function plugin(name: string, create: (context: AccessorContext) => Accessor): AccessorPlugin {
  return defineAccessor({ name, apiVersion: ACCESSOR_API_VERSION, description: 'of this test', supports, create })
}

export function copying(name: string, user: (context: AccessorContext) => UserAccess): AccessorPlugin {
  return plugin(name, (context) => new CopyAccessor(name, context, user(context)))
}

/** The bare idea of a direct mapping: no check, no fence, and a mask if asked for. */
class BareWindow implements Window {
  readonly #cpu: Cpu
  readonly #mapping: KernelMapping
  readonly #length: number
  readonly #masked: boolean

  constructor({ cpu, space }: AccessorContext, { address, length }: RingArea, masked: boolean) {
    const mapping = space.mapKernel({ address, length, write: true, mapping: 'vmap' })
    if (typeof mapping === 'string') throw new Error(mapping)
    this.#cpu = cpu
    this.#mapping = mapping
    this.#length = length
    this.#masked = masked
  }

  load16(offset: number): number {
    return this.#cpu.load16(this.#mapping.view.u16, this.#at(offset) >>> 1)
  }

  load16Acquire(offset: number): number {
    return this.#cpu.load16Acquire(this.#mapping.view.u16, this.#at(offset) >>> 1)
  }

  load32(offset: number): number {
    return this.#cpu.load32(this.#mapping.view.u32, this.#at(offset) >>> 2)
  }

  loadWords(offset: number, out: Uint32Array, index: number, count: number): number {
    this.#cpu.loadWords(this.#mapping.view.u32, this.#at(offset) >>> 2, out, index, count)
    return 0
  }

  store16(offset: number, value: number): number {
    this.#cpu.store16(this.#mapping.view.u16, this.#at(offset) >>> 1, value)
    return 0
  }

  store16Release(offset: number, value: number): number {
    this.#cpu.store16Release(this.#mapping.view.u16, this.#at(offset) >>> 1, value)
    return 0
  }

  store32(offset: number, value: number): number {
    this.#cpu.store32(this.#mapping.view.u32, this.#at(offset) >>> 2, value)
    return 0
  }

  storeWords(offset: number, words: Uint32Array, index: number, count: number): number {
    this.#cpu.storeWords(this.#mapping.view.u32, this.#at(offset) >>> 2, words, index, count)
    return 0
  }

  #at(offset: number): number {
    return this.#mapping.base + (this.#masked ? this.#cpu.mask(offset, this.#length) : offset)
  }
}

export function bareDirect(masked: boolean): AccessorPlugin {
  return plugin('bare-direct', (context) => ({
    name: 'bare-direct',
    desc: new BareWindow(context, context.ring.desc, masked),
    driver: new BareWindow(context, context.ring.driver, masked),
    device: new BareWindow(context, context.ring.device, masked),
    lease: null,
    counters: new AccessCounters(),
    beginRound: () => 'ready',
    endRound: () => {},
    close: () => {},
  }))
}
