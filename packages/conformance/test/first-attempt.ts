import {
  AccessCounters,
  type Accessor,
  type AccessorContext,
  type AccessorPlugin,
  CopyWindow,
  checkRingBelowLimit,
  defineAccessor,
  type RoundStatus,
  UncheckedUser2019,
  type Window,
} from '@vring/accessor'
import { AREAS, type Area, EFAULT, type RingArea, refused } from '@vring/layout'
import type { KernelMapping } from '@vring/memory'

/** What the author of a first plugin gets wrong; `ok`: nothing. */
export const MISTAKES = [
  ...[
    'ok',
    'notifier-leak',
    'close-keeps-map',
    'unmap-leak',
    'no-dirty',
    'plain-if',
    'wrong-area-offset',
    'throws-hot',
  ],
  ...['undefined', 'undefined-desc', 'errno-sign', 'errno-minus1', 'fault-zero', 'throw-on-fault', 'no-acquire'],
  ...['no-release', 'double-fetch', 'double-fetch-desc', 'no-port', 'idx-first', 'last-word', 'no-count', 'wrong-name'],
  ...['ignores-iotlb', 'no-limit', 'no-clac-on-fault', 'no-notifier', 'notifier-throws', 'notifier-undefined'],
  ...['begin-undefined', 'begin-throws', 'always-miss', 'async', 'map-while-open', 'empty-endround', 'map-files'],
  ...['close-throws-twice', 'lie-filebacked', 'lie-iotlb', 'lie-nofallback', 'lie-nonotifier', 'lie-denies'],
  ...['lie-noprefetch', 'alloc', 'lock-leak', 'write-by-name', 'stores-anywhere'],
] as const
export type Mistake = (typeof MISTAKES)[number]

/** An area through a mapping that the notifier takes away, and user access without it: all in plain fields. */
class FirstWindow implements Window {
  map: KernelMapping | null = null
  dirty = false
  hits = 0
  pending: (() => void) | null = null
  readonly kind: Mistake
  readonly context: AccessorContext
  readonly name: Area
  readonly area: RingArea
  readonly copy: CopyWindow

  constructor(kind: Mistake, context: AccessorContext, name: Area) {
    this.kind = kind
    this.context = context
    this.name = name
    this.area = context.ring[name]
    this.copy = new CopyWindow(new UncheckedUser2019(context.cpu, context.space), this.area)
  }

  remap(): void {
    if (this.map !== null) return
    const { address, length, access } = this.area
    const write = this.kind === 'write-by-name' ? this.name === 'device' : access !== 'read'
    const files = this.kind === 'map-files' ? { files: 'map' as const } : {}
    const map = this.context.space.mapKernel({ address, length, write, mapping: 'vmap', ...files })
    if (typeof map === 'string') return
    if (map.base < 0) map.release()
    else this.map = map
  }

  drop(): void {
    if (this.map === null) return
    if (this.dirty && this.kind !== 'no-dirty') this.map.markDirty()
    this.dirty = false
    this.map.release()
    this.map = null
  }

  load16(offset: number): number {
    const found = this.#load16('load16', offset)
    if (this.kind === 'double-fetch' && this.map !== null) return this.#load16('load16', offset)
    if (this.kind === 'alloc') return [...Array.from({ length: 32 }, () => found)].at(-1)!
    return found
  }

  load16Acquire(offset: number): number {
    return this.#load16(this.kind === 'no-acquire' ? 'load16' : 'load16Acquire', offset)
  }

  load32(offset: number): number {
    const { map } = this
    if (map === null) return this.copy.load32(offset)
    if (this.area.access === 'write') return EFAULT
    return this.context.cpu.load32(map.view.u32, this.#at(map, offset, 4) >>> 2)
  }

  loadWords(offset: number, out: Uint32Array, index: number, count: number): number {
    const { map } = this
    if (map === null) return this.copy.loadWords(offset, out, index, count)
    if (this.area.access === 'write') return EFAULT
    const word = this.#at(map, offset, 4 * count) >>> 2
    if (this.kind === 'double-fetch-desc') this.context.cpu.load16(map.view.u16, 2 * word)
    if (this.kind === 'no-port') for (let at = 0; at < count; at++) out[index + at] = map.view.u32[word + at]!
    else this.context.cpu.loadWords(map.view.u32, word, out, index, count)
    return this.kind === 'undefined-desc' ? (undefined as unknown as number) : 0
  }

  store16(offset: number, value: number): number {
    const { map } = this
    if (map === null) return this.copy.store16(offset, value)
    if (!this.#mayStore()) return EFAULT
    this.context.cpu.store16(map.view.u16, this.#at(map, offset, 2) >>> 1, value)
    return 0
  }

  store16Release(offset: number, value: number): number {
    const { map } = this
    if (map === null) return this.copy.store16Release(offset, value)
    if (!this.#mayStore()) return EFAULT
    const half = this.#at(map, offset, 2) >>> 1
    if (this.kind === 'no-release') this.context.cpu.store16(map.view.u16, half, value)
    else this.context.cpu.store16Release(map.view.u16, half, value)
    this.pending?.()
    this.pending = null
    return 0
  }

  store32(offset: number, value: number): number {
    const { map } = this
    if (map === null) return this.copy.store32(offset, value)
    if (!this.#mayStore()) return EFAULT
    this.context.cpu.store32(map.view.u32, this.#at(map, offset, 4) >>> 2, value)
    return 0
  }

  storeWords(offset: number, words: Uint32Array, index: number, count: number): number {
    const { map } = this
    const from = this.kind === 'last-word' ? 0 : index
    if (map === null) return this.copy.storeWords(offset, words, from, count)
    if (!this.#mayStore()) return EFAULT
    const word = this.#at(map, offset, 4 * count) >>> 2
    if (this.kind === 'idx-first')
      this.pending = () => this.context.cpu.storeWords(map.view.u32, word, words, from, count)
    else this.context.cpu.storeWords(map.view.u32, word, words, from, count)
    return 0
  }

  /** Accesses since the last call, direct and not. */
  take(): readonly [direct: number, copied: number] {
    const direct = this.kind === 'no-count' ? 0 : this.hits
    this.hits = 0
    return [direct, this.copy.takeHits()]
  }

  #load16(way: 'load16' | 'load16Acquire', offset: number): number {
    const { kind, map } = this
    const hot = this.name === 'driver' && way === 'load16'
    if (kind === 'throws-hot' && hot) throw new Error('no entry')
    if (kind === 'undefined' && hot) return undefined as unknown as number
    if (map !== null && this.area.access === 'write') return EFAULT
    if (map !== null) return this.context.cpu[way](map.view.u16, this.#at(map, offset, 2) >>> 1)
    const found = kind === 'no-clac-on-fault' ? this.#unclosed(offset) : this.copy[way](offset)
    if (found >= 0) return found
    if (kind === 'errno-sign') return -found
    if (kind === 'errno-minus1') return -1
    if (kind === 'fault-zero') return 0
    if (kind === 'throw-on-fault') throw refused('ERR_OUT_OF_RANGE', 'offset', offset, 'a page that is there')
    return found
  }

  #unclosed(offset: number): number {
    const { cpu, space } = this.context
    cpu.stac()
    const at = cpu.translate(space, this.area.address + offset, 2, 1)
    if (at < 0) return at
    cpu.clac()
    return this.copy.load16(offset)
  }

  #mayStore(): boolean {
    if (this.area.access === 'read' && this.kind !== 'stores-anywhere') return false
    this.dirty = true
    return true
  }

  #at({ base }: KernelMapping, offset: number, bytes: number): number {
    this.hits++
    if (this.kind === 'wrong-area-offset' && this.name === 'device') return base + offset + 4
    if (this.kind === 'plain-if') return offset < 0 || offset + bytes > this.area.length ? base : base + offset
    return base + this.context.cpu.mask(offset, this.area.length - bytes + 1)
  }
}

/** The accessor that an author writes first, with one mistake. */
class FirstAttempt implements Accessor {
  readonly name: string
  readonly desc: FirstWindow
  readonly driver: FirstWindow
  readonly device: FirstWindow
  readonly lease = null
  readonly counters = new AccessCounters()
  open = 0
  closed = false
  ready = true
  kept: unknown[] = []
  readonly kind: Mistake
  readonly context: AccessorContext
  readonly unregister: (() => void) | null

  constructor(kind: Mistake, name: string, context: AccessorContext) {
    const { space, ring, iotlb } = context
    if (iotlb !== null && kind !== 'ignores-iotlb') throw refused('ERR_UNSUPPORTED', 'iotlb', 'a device IOTLB', 'none')
    if (kind !== 'no-limit') checkRingBelowLimit(context)
    this.kind = kind
    this.context = context
    this.name = kind === 'wrong-name' ? 'other' : name
    this.desc = new FirstWindow(kind, context, 'desc')
    this.driver = new FirstWindow(kind, context, 'driver')
    this.device = new FirstWindow(kind, context, 'device')
    if (kind === 'async') {
      this.ready = false
      setTimeout(() => {
        this.ready = true
      }, 5)
    }
    const ops = {
      name,
      invalidateRangeStart: ({ start, end }: { start: number; end: number }): number => {
        if (kind === 'notifier-throws') throw new Error('boom')
        this.open++
        for (const area of AREAS)
          if (start < ring[area].address + ring[area].length && ring[area].address < end) this[area].drop()
        return kind === 'notifier-undefined' ? (undefined as unknown as number) : 0
      },
      invalidateRangeEnd: () => {
        this.open--
      },
    }
    const registered = kind === 'no-notifier' ? null : space.notifiers.register(ops)
    this.unregister = typeof registered === 'function' ? registered : null
  }

  beginRound(): RoundStatus {
    const { kind } = this
    if (kind === 'begin-undefined') return undefined as unknown as RoundStatus
    if (kind === 'always-miss' || !this.ready) return 'miss'
    if (kind === 'begin-throws') throw new Error('cannot begin')
    if (kind === 'lock-leak') this.context.cpu.lock()
    if (this.open === 0 || kind === 'map-while-open') for (const area of AREAS) this[area].remap()
    return 'ready'
  }

  endRound(): void {
    if (this.kind === 'empty-endround') return
    for (const area of AREAS) {
      const window = this[area]
      if (window.dirty && window.map !== null && this.kind !== 'no-dirty') {
        window.map.markDirty()
        window.dirty = false
      }
      const [direct, copied] = window.take()
      this.counters.add(area, 'direct', direct)
      this.counters.add(area, 'fallback:unmapped', copied)
      if (this.kind === 'unmap-leak') window.map = null
    }
  }

  close(): void {
    if (this.closed) {
      if (this.kind === 'close-throws-twice') throw new Error('already closed')
      return
    }
    this.closed = true
    this.endRound()
    if (this.kind !== 'notifier-leak') this.unregister?.()
    if (this.kind !== 'close-keeps-map') for (const area of AREAS) this[area].drop()
  }
}

const SUPPORTS = {
  fileBacked: true,
  iotlb: false,
  noIotlb: true,
  needsMmuNotifier: true,
  needsPrefetch: true,
  speculationSafe: true,
  fallsBack: true,
}

/** What `supports` says that is not so. */
const LIES: Readonly<Partial<Record<Mistake, Partial<typeof SUPPORTS>>>> = {
  'lie-filebacked': { fileBacked: false },
  'lie-iotlb': { iotlb: true },
  'lie-nofallback': { fallsBack: false },
  'lie-nonotifier': { needsMmuNotifier: false },
  'lie-noprefetch': { needsPrefetch: false },
  'lie-denies': { speculationSafe: false, fileBacked: false, fallsBack: false },
}

/** A plugin with one mistake. */
export function firstAttempt(kind: Mistake): AccessorPlugin {
  const name = `first-${kind}`
  return defineAccessor({
    name,
    apiVersion: 2,
    description: `mistake: ${kind}`,
    supports: { ...SUPPORTS, ...LIES[kind] },
    create: (context) => new FirstAttempt(kind, name, context),
  })
}
