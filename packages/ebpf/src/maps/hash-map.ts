import { EINVAL, refused } from '@vring/layout'
import { BaseMap, copyValue } from './base-map.ts'
import { BPF_EXIST, BPF_NOEXIST, E2BIG, type EbpfMapDefinition, EEXIST, ENOENT, valueStride } from './ebpf-map.ts'
import { hashKey } from './hash-key.ts'

/** No entry. Links hold entries counted from 1, and 0 for none: a map that is made touches no memory. */
const NONE = -1
/** BPF_F_ZERO_SEED. */
const ZERO_SEED = 1 << 6

/**
 * Values by key: chained buckets over entries that are all allocated at creation, so that a value never moves.
 * Source: Linux kernel/bpf/hashtab.c, preallocated form. A full map refuses new keys with -E2BIG.
 *
 * ```
 *   buckets[hash(key)] -> entry -> next[entry] -> ...      free -> next[free] -> ...      fresh: never used, nor those after it
 *                         keys at entry * keyBytes, value at base + entry * stride
 * ```
 *
 * With `cpus` above 1 (a per-CPU hash) `values` has one copy of all values for each CPU, one after the other. Programs
 * see their own. A deleted entry's value stays readable until it is used again, as under RCU in the kernel.
 */
export class HashMap extends BaseMap {
  readonly values: Uint8Array
  /** Bytes from one value to the next. */
  readonly stride: number
  /** Copies of all values. */
  readonly cpus: number
  /** Offset of the copy that programs see. */
  readonly base: number
  /** Entries that are in use. */
  size = 0
  private readonly keyStore: Uint8Array
  private readonly buckets: Int32Array
  private readonly next: Int32Array
  private free = NONE
  private fresh = 0
  private readonly seed: number

  constructor(definition: EbpfMapDefinition, cpus = 1, cpu = 0) {
    super(definition, cpus)
    const entries = definition.maxEntries
    this.stride = valueStride(definition.valueBytes)
    this.cpus = cpus
    this.base = cpu * entries * this.stride
    this.values = new Uint8Array(cpus * entries * this.stride)
    this.keyStore = new Uint8Array(entries * definition.keyBytes)
    this.buckets = new Int32Array(2 ** Math.ceil(Math.log2(entries)))
    this.next = new Int32Array(entries)
    this.seed = (this.flags & ZERO_SEED) === 0 ? Math.floor(Math.random() * 2 ** 32) : 0
  }

  find(memory: Uint8Array, key: number): number {
    const entry = this.findEntry(memory, key)
    return entry < 0 ? -1 : this.base + entry * this.stride
  }

  update(memory: Uint8Array, key: number, valueMemory: Uint8Array, value: number, flags: number): number {
    if (flags > BPF_EXIST) return EINVAL
    let entry = this.findEntry(memory, key)
    if (entry !== NONE && flags === BPF_NOEXIST) return EEXIST
    if (entry === NONE) {
      if (flags === BPF_EXIST) return ENOENT
      entry = this.insert(memory, key)
      if (entry === NONE) return E2BIG
    }
    copyValue(this.values, this.base + entry * this.stride, valueMemory, value, this.valueBytes)
    return 0
  }

  delete(memory: Uint8Array, key: number): number {
    const bucket = this.bucketOf(memory, key)
    let before = NONE
    let entry = this.buckets[bucket]! - 1
    while (entry !== NONE && !this.hasKey(entry, memory, key)) {
      before = entry
      entry = this.next[entry]! - 1
    }
    if (entry === NONE) return ENOENT
    if (before === NONE) this.buckets[bucket] = this.next[entry]!
    else this.next[before] = this.next[entry]!
    this.next[entry] = this.free + 1
    this.free = entry
    this.size--
    return 0
  }

  keys(): Uint8Array[] {
    const found: Uint8Array[] = []
    for (const first of this.buckets)
      for (let entry = first - 1; entry !== NONE; entry = this.next[entry]! - 1)
        found.push(new Uint8Array(this.keyOf(entry)))
    return found
  }

  /** The live bytes of one CPU's value of a key, or undefined. @throws VringError if there is no such CPU */
  valueOfCpu(key: Uint8Array, cpu: number): Uint8Array | undefined {
    if (!(cpu >= 0 && cpu < this.cpus))
      throw refused('ERR_OUT_OF_RANGE', `map ${this.name}: cpu`, cpu, `0 to ${this.cpus - 1}`)
    const entry = this.findEntry(key, 0)
    const at = (cpu * this.maxEntries + entry) * this.stride
    return entry < 0 ? undefined : this.values.subarray(at, at + this.valueBytes)
  }

  /** @returns the entry of a key, or -1 */
  protected findEntry(memory: Uint8Array, key: number): number {
    let entry = this.buckets[this.bucketOf(memory, key)]! - 1
    while (entry !== NONE && !this.hasKey(entry, memory, key)) entry = this.next[entry]! - 1
    return entry
  }

  protected keyOf(entry: number): Uint8Array {
    return this.keyStore.subarray(entry * this.keyBytes, (entry + 1) * this.keyBytes)
  }

  /** Makes room for one more key when the map is full. */
  protected evict(): void {}

  protected remove(entry: number): void {
    this.delete(this.keyStore, entry * this.keyBytes)
  }

  private insert(memory: Uint8Array, key: number): number {
    const entry = this.take()
    if (entry === NONE) return NONE
    const bucket = this.bucketOf(memory, key)
    this.next[entry] = this.buckets[bucket]!
    this.buckets[bucket] = entry + 1
    copyValue(this.keyStore, entry * this.keyBytes, memory, key, this.keyBytes)
    // The values of the other CPUs start with zeros. Source: Linux pcpu_init_value.
    for (let cpu = 0; cpu < this.cpus && this.cpus > 1; cpu++) {
      const at = (cpu * this.maxEntries + entry) * this.stride
      this.values.fill(0, at, at + this.stride)
    }
    this.size++
    return entry
  }

  /** A free entry, or -1: the map is full. */
  private take(): number {
    if (this.free === NONE && this.fresh < this.maxEntries) return this.fresh++
    if (this.free === NONE) this.evict()
    const entry = this.free
    if (entry !== NONE) this.free = this.next[entry]! - 1
    return entry
  }

  private bucketOf(memory: Uint8Array, key: number): number {
    return hashKey(memory, key, this.keyBytes, this.seed) & (this.buckets.length - 1)
  }

  private hasKey(entry: number, memory: Uint8Array, key: number): boolean {
    const at = entry * this.keyBytes
    for (let i = 0; i < this.keyBytes; i++) if (this.keyStore[at + i] !== memory[key + i]) return false
    return true
  }
}
