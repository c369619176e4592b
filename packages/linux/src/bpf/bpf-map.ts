import { readFileSync } from 'node:fs'
import { BPF_MAP_TYPES, type BpfMapType, refused } from '@vring/layout'
import { closeFd } from '../descriptors/fd.ts'
import { fixedBytes } from '../libc.ts'
import { systemError } from '../system-error.ts'
import {
  BPF_MAP_CREATE,
  BPF_MAP_DELETE_ELEM,
  BPF_MAP_FREEZE,
  BPF_MAP_GET_NEXT_KEY,
  BPF_MAP_LOOKUP_ELEM,
  BPF_MAP_UPDATE_ELEM,
  BPF_OBJ_GET,
  BPF_OBJ_PIN,
  BpfAttribute,
  bpf,
  bpfChecked,
} from './bpf.ts'

export { BPF_MAP_TYPES, type BpfMapType } from '@vring/layout'

export interface BpfMapOptions {
  readonly type: BpfMapType
  /** For people; the kernel keeps 15 characters. */
  readonly name?: string
  /** Bytes. */
  readonly keySize: number
  /** Bytes; of one CPU's value in a per-CPU map. */
  readonly valueSize: number
  /** Of a perf-event-array 0 is one for each possible CPU, as for libbpf. */
  readonly maxEntries: number
  /** Flags of BPF_MAP_CREATE: {@link BPF_F_RDONLY_PROG} and others. Default 0. */
  readonly flags?: number
  /** What a map of maps holds: a map like its own. */
  readonly inner?: BpfMap
}

/** Programs may not write to the map's values. Source: Linux include/uapi/linux/bpf.h. */
export const BPF_F_RDONLY_PROG: number = 1 << 7

const ENOENT = -2

/** A map in the kernel: what an XDP program and this process share. It lives as long as one of both holds it. */
export class BpfMap {
  readonly fd: number
  readonly options: BpfMapOptions
  /** Values that a look-up gives: one for each possible CPU in a per-CPU map. */
  readonly valuesPerKey: number
  readonly #value: Uint8Array
  readonly #stride: number
  #closed = false

  private constructor(fd: number, options: BpfMapOptions) {
    this.fd = fd
    this.options = options
    const perCpu = /percpu-/.test(options.type)
    this.valuesPerKey = perCpu ? possibleCpus() : 1
    this.#stride = perCpu ? (options.valueSize + 7) & ~7 : options.valueSize
    this.#value = fixedBytes(this.#stride * this.valuesPerKey)
  }

  /** @throws VringError ERR_SYSTEM: EINVAL for sizes that the kind refuses, EPERM */
  static create(options: BpfMapOptions): BpfMap {
    const isPerCpu = options.type === 'perf-event-array' && options.maxEntries === 0
    const maxEntries = isPerCpu ? possibleCpus() : options.maxEntries
    const attribute = new BpfAttribute(48)
      .u32(0, BPF_MAP_TYPES[options.type])
      .u32(4, options.keySize)
      .u32(8, options.valueSize)
      .u32(12, maxEntries)
      .u32(16, options.flags ?? 0)
      .u32(20, options.inner?.fd ?? 0)
      .name(28, options.name ?? options.type)
    return new BpfMap(bpfChecked(BPF_MAP_CREATE, attribute, `creating ${options.type} map`), { ...options, maxEntries })
  }

  /**
   * The map that is pinned at a path of the BPF file system, or null.
   *
   * @throws VringError ERR_SYSTEM: EPERM
   */
  static pinned(path: string, options: BpfMapOptions): BpfMap | null {
    const fd = bpf(BPF_OBJ_GET, new BpfAttribute(16).pointer(0, terminated(path)))
    if (fd === ENOENT) return null
    if (fd < 0) throw systemError('bpf', -fd, `opening ${path}`)
    return new BpfMap(fd, options)
  }

  /** Pins it at a path of the BPF file system: it then outlives this process. @throws VringError ERR_SYSTEM: EEXIST */
  pin(path: string): void {
    bpfChecked(BPF_OBJ_PIN, new BpfAttribute(16).pointer(0, terminated(path)).u32(8, this.fd), `pinning ${path}`)
  }

  /**
   * A map that another part of this process, such as another thread, made and closes: `options` as they were then.
   */
  static borrow(fd: number, options: BpfMapOptions): BpfMap {
    const map = new BpfMap(fd, options)
    map.#closed = true
    return map
  }

  /**
   * The values under `key`, one for each possible CPU in a per-CPU map.
   *
   * @returns null when there is no such key
   * @throws VringError ERR_OUT_OF_RANGE for a key of another size; ERR_SYSTEM
   */
  lookup(key: Uint8Array): Uint8Array[] | null {
    const result = bpf(BPF_MAP_LOOKUP_ELEM, this.#element(key).pointer(16, this.#value))
    if (result === ENOENT) return null
    if (result < 0) throw systemError('bpf', -result, `looking up in ${this.#label}`)
    return Array.from({ length: this.valuesPerKey }, (_, cpu) =>
      this.#value.slice(cpu * this.#stride, cpu * this.#stride + this.options.valueSize),
    )
  }

  /**
   * Keys in the order of the kernel, at most `limit`: a map may change while it is walked, and then begin again.
   *
   * @throws VringError ERR_SYSTEM
   */
  keys(limit: number): Uint8Array[] {
    const found: Uint8Array[] = []
    const { keySize } = this.options
    let last: Uint8Array | null = null
    while (found.length < limit) {
      const next = fixedBytes(keySize)
      const attribute = new BpfAttribute(32).u32(0, this.fd).pointer(16, next)
      const result = bpf(BPF_MAP_GET_NEXT_KEY, last === null ? attribute : attribute.pointer(8, last))
      if (result === ENOENT) return found
      if (result < 0) throw systemError('bpf', -result, `walking ${this.#label}`)
      found.push(next.slice())
      last = next
    }
    return found
  }

  /** Sum over all CPUs of the 64-bit counter under a 32-bit key; 0 when there is none. Exact up to 2^53. */
  counter(key: number): number {
    const values = this.lookup(key32(key))
    return (values ?? []).reduce((sum, value) => sum + Number(new DataView(value.buffer).getBigUint64(0, true)), 0)
  }

  /**
   * Sets the value under `key`; all CPUs' values, one after the other at multiples of 8 bytes, in a per-CPU map.
   *
   * @throws VringError ERR_OUT_OF_RANGE; ERR_SYSTEM: E2BIG or ENOSPC when the map is full
   */
  update(key: Uint8Array, value: Uint8Array): void {
    if (value.length !== this.#value.length)
      throw refused('ERR_OUT_OF_RANGE', 'value bytes', value.length, String(this.#value.length))
    this.#value.set(value)
    bpfChecked(BPF_MAP_UPDATE_ELEM, this.#element(key).pointer(16, this.#value), `updating ${this.#label}`)
  }

  /** Removes a key; false when it was not there. @throws VringError ERR_OUT_OF_RANGE; ERR_SYSTEM */
  delete(key: Uint8Array): boolean {
    const result = bpf(BPF_MAP_DELETE_ELEM, this.#element(key))
    if (result < 0 && result !== ENOENT) throw systemError('bpf', -result, `deleting from ${this.#label}`)
    return result === 0
  }

  /**
   * Only a program can change the map from here on: with {@link BPF_F_RDONLY_PROG} its values are constants that the
   * verifier knows.
   *
   * @throws VringError ERR_SYSTEM: EBUSY when it is frozen already
   */
  freeze(): void {
    bpfChecked(BPF_MAP_FREEZE, new BpfAttribute(8).u32(0, this.fd), `freezing ${this.#label}`)
  }

  /** Closes the descriptor; programs that use the map keep it. A second call does nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeFd(this.fd)
  }

  get #label(): string {
    return `map ${this.options.name ?? this.options.type}`
  }

  #element(key: Uint8Array): BpfAttribute {
    if (key.length !== this.options.keySize)
      throw refused('ERR_OUT_OF_RANGE', 'key bytes', key.length, String(this.options.keySize))
    const copy = fixedBytes(key.length)
    copy.set(key)
    return new BpfAttribute(32).u32(0, this.fd).pointer(8, copy)
  }
}

function terminated(path: string): Uint8Array {
  const text = new TextEncoder().encode(`${path}\0`)
  const bytes = fixedBytes(text.length)
  bytes.set(text)
  return bytes
}

/** A 32-bit key or value as maps hold it. */
export function key32(value: number): Uint8Array {
  const bytes = fixedBytes(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}

/** CPUs that can exist on this machine: the length of a per-CPU value. */
function possibleCpus(): number {
  const ranges = readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim().split(',')
  return Math.max(...ranges.map((range) => Number(range.split('-').at(-1)))) + 1
}
