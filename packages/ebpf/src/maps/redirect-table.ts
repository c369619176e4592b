import { EINVAL, refused } from '@vring/layout'
import { BaseMap, checkIndexKey, copyValue, indexAt, indexKeyOf } from './base-map.ts'
import { BPF_EXIST, BPF_NOEXIST, E2BIG, type EbpfMapDefinition, EEXIST, ENOENT, valueStride } from './ebpf-map.ts'

/**
 * Targets of redirects by index: interfaces (devmap) or AF_XDP sockets (xskmap). The first four bytes of a value name
 * the target for the owner of the hook, who hands frames over; zero bytes behind them. Entries start absent.
 * Source: Linux kernel/bpf/devmap.c, net/xdp/xskmap.c.
 */
export class RedirectTable extends BaseMap {
  readonly kind: 'devmap' | 'xskmap'
  readonly values: Uint8Array
  private readonly stride: number
  private readonly present: Uint8Array

  constructor(definition: EbpfMapDefinition) {
    super(definition)
    checkIndexKey(definition)
    if (definition.type !== 'devmap' && definition.type !== 'xskmap')
      throw refused('ERR_INVALID_ARGUMENT', `map ${definition.name}: type`, definition.type, 'devmap, xskmap')
    if (definition.valueBytes !== 4 && !(definition.type === 'devmap' && definition.valueBytes === 8))
      throw refused(
        'ERR_INVALID_ARGUMENT',
        `map ${definition.name}: value size`,
        definition.valueBytes,
        '4 (devmap: 8)',
      )
    this.kind = definition.type
    this.stride = valueStride(definition.valueBytes)
    this.values = new Uint8Array(definition.maxEntries * this.stride)
    this.present = new Uint8Array(definition.maxEntries)
  }

  find(memory: Uint8Array, key: number): number {
    const index = indexAt(memory, key)
    return index < this.maxEntries && this.present[index] === 1 ? index * this.stride : -1
  }

  /** @returns the target at an index, or -1 */
  target(index: number): number {
    return index < this.maxEntries && this.present[index] === 1 ? indexAt(this.values, index * this.stride) : -1
  }

  update(memory: Uint8Array, key: number, valueMemory: Uint8Array, value: number, flags: number): number {
    if (flags > BPF_EXIST) return EINVAL
    const index = indexAt(memory, key)
    if (index >= this.maxEntries) return E2BIG
    if (flags === BPF_NOEXIST && this.present[index] === 1) return EEXIST
    if (flags === BPF_EXIST && this.present[index] === 0) return ENOENT
    copyValue(this.values, index * this.stride, valueMemory, value, this.valueBytes)
    this.present[index] = 1
    return 0
  }

  delete(memory: Uint8Array, key: number): number {
    const index = indexAt(memory, key)
    if (index >= this.maxEntries) return EINVAL
    if (this.present[index] === 0) return ENOENT
    this.present[index] = 0
    return 0
  }

  keys(): Uint8Array[] {
    const found: Uint8Array[] = []
    this.present.forEach((present, index) => {
      if (present === 1) found.push(indexKeyOf(index))
    })
    return found
  }
}
