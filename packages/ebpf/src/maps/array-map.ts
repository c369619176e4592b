import { EINVAL, refused } from '@vring/layout'
import { BaseMap, checkIndexKey, copyValue, indexAt, indexKeyOf } from './base-map.ts'
import { BPF_EXIST, BPF_NOEXIST, E2BIG, type EbpfMapDefinition, EEXIST, valueStride } from './ebpf-map.ts'

/**
 * Values by index, all there from the start and zero. Source: Linux kernel/bpf/arraymap.c.
 *
 * With `cpus` above 1 (a per-CPU array) there is one copy per CPU, one after the other, and programs see their own:
 * `values` is ` cpu 0: value 0, value 1, ... | cpu 1: value 0, ...`.
 */
export class ArrayMap extends BaseMap {
  readonly values: Uint8Array
  /** Bytes from one value to the next. */
  readonly stride: number
  /** Copies of the array. */
  readonly cpus: number
  /** Offset of the copy that programs see. */
  readonly base: number

  constructor(definition: EbpfMapDefinition, cpus = 1, cpu = 0) {
    super(definition, cpus)
    checkIndexKey(definition)
    this.stride = valueStride(definition.valueBytes)
    this.cpus = cpus
    this.base = cpu * definition.maxEntries * this.stride
    this.values = new Uint8Array(cpus * definition.maxEntries * this.stride)
  }

  find(memory: Uint8Array, key: number): number {
    const index = indexAt(memory, key)
    return index < this.maxEntries ? this.base + index * this.stride : -1
  }

  update(memory: Uint8Array, key: number, valueMemory: Uint8Array, value: number, flags: number): number {
    if (flags > BPF_EXIST) return EINVAL
    const at = this.find(memory, key)
    if (at < 0) return E2BIG
    if (flags === BPF_NOEXIST) return EEXIST
    copyValue(this.values, at, valueMemory, value, this.valueBytes)
    return 0
  }

  /** Entries of an array can't be deleted. */
  delete(): number {
    return EINVAL
  }

  keys(): Uint8Array[] {
    return Array.from({ length: this.maxEntries }, (_, index) => indexKeyOf(index))
  }

  /** The live bytes of one CPU's value. @throws VringError if there is no such entry or CPU */
  valueOfCpu(index: number, cpu: number): Uint8Array {
    if (!(index >= 0 && index < this.maxEntries))
      throw refused('ERR_OUT_OF_RANGE', `map ${this.name}: index`, index, `0 to ${this.maxEntries - 1}`)
    if (!(cpu >= 0 && cpu < this.cpus))
      throw refused('ERR_OUT_OF_RANGE', `map ${this.name}: cpu`, cpu, `0 to ${this.cpus - 1}`)
    const at = (cpu * this.maxEntries + index) * this.stride
    return this.values.subarray(at, at + this.valueBytes)
  }
}
