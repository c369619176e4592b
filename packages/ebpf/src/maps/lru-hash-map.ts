import type { EbpfMapDefinition } from './ebpf-map.ts'
import { HashMap } from './hash-map.ts'

/** No entry. Links hold entries counted from 1, and 0 for none. */
const NONE = -1

/**
 * A hash that makes room by dropping the entry that was used longest ago. Exact least-recently-used order, where the
 * kernel's is approximate. Source: Linux kernel/bpf/bpf_lru_list.c.
 *
 * ```
 *   newest <-> ... <-> oldest      lookups and updates by programs move an entry to the front
 * ```
 */
export class LruHashMap extends HashMap {
  private readonly newer: Int32Array
  private readonly older: Int32Array
  private newest = NONE
  private oldest = NONE

  constructor(definition: EbpfMapDefinition, cpus = 1, cpu = 0) {
    super(definition, cpus, cpu)
    this.newer = new Int32Array(definition.maxEntries)
    this.older = new Int32Array(definition.maxEntries)
  }

  override find(memory: Uint8Array, key: number): number {
    const entry = this.findEntry(memory, key)
    if (entry < 0) return -1
    this.unlink(entry)
    this.link(entry)
    return this.base + entry * this.stride
  }

  override update(memory: Uint8Array, key: number, valueMemory: Uint8Array, value: number, flags: number): number {
    const status = super.update(memory, key, valueMemory, value, flags)
    if (status === 0) this.find(memory, key)
    return status
  }

  override delete(memory: Uint8Array, key: number): number {
    const entry = this.findEntry(memory, key)
    if (entry >= 0) this.unlink(entry)
    return super.delete(memory, key)
  }

  protected override peek(key: Uint8Array): number {
    const entry = this.findEntry(key, 0)
    return entry < 0 ? -1 : this.base + entry * this.stride
  }

  protected override evict(): void {
    if (this.oldest !== NONE) this.remove(this.oldest)
  }

  /** Takes an entry out of the order; one that is not in it stays out. */
  private unlink(entry: number): void {
    const newer = this.newer[entry]! - 1
    const older = this.older[entry]! - 1
    if (newer !== NONE) this.older[newer] = older + 1
    else if (this.newest === entry) this.newest = older
    if (older !== NONE) this.newer[older] = newer + 1
    else if (this.oldest === entry) this.oldest = newer
    this.newer[entry] = 0
    this.older[entry] = 0
  }

  private link(entry: number): void {
    this.older[entry] = this.newest + 1
    if (this.newest !== NONE) this.newer[this.newest] = entry + 1
    this.newest = entry
    if (this.oldest === NONE) this.oldest = entry
  }
}
