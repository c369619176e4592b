import { EINVAL, refused } from '@vring/layout'
import { BaseMap, checkIndexKey, copyValue, indexAt, indexKeyOf } from './base-map.ts'

import { BPF_EXIST, BPF_NOEXIST, E2BIG, type EbpfMapDefinition, EEXIST, ENOENT, valueStride } from './ebpf-map.ts'
import type { RedirectTargets } from './redirect-targets.ts'

/**
 * Targets of redirects by index: interfaces (devmap), AF_XDP sockets (xskmap) or CPUs (cpumap). The first four bytes of
 * a value of a devmap or xskmap name the target for the owner of the hook, who hands frames over. Of a cpumap it is the
 * index. Entries start absent. Source: Linux kernel/bpf/devmap.c, net/xdp/xskmap.c, kernel/bpf/cpumap.c.
 */
export class RedirectTable extends BaseMap implements RedirectTargets {
  readonly kind: 'devmap' | 'xskmap' | 'cpumap'
  readonly values: Uint8Array
  private readonly stride: number
  private readonly present: Uint8Array

  constructor(definition: EbpfMapDefinition) {
    super(definition)
    checkIndexKey(definition)
    const { type, name, valueBytes } = definition
    if (type !== 'devmap' && type !== 'xskmap' && type !== 'cpumap')
      throw refused('ERR_INVALID_ARGUMENT', `map ${name}: type`, type, 'devmap, xskmap, cpumap')
    if (valueBytes !== 4 && !(type !== 'xskmap' && valueBytes === 8))
      throw refused('ERR_INVALID_ARGUMENT', `map ${name}: value size`, valueBytes, '4 (devmap, cpumap: 8 as well)')
    this.kind = type
    this.stride = valueStride(valueBytes)
    this.values = new Uint8Array(definition.maxEntries * this.stride)
    this.present = new Uint8Array(definition.maxEntries)
  }

  find(memory: Uint8Array, key: number): number {
    const index = indexAt(memory, key)
    return index < this.maxEntries && this.present[index] === 1 ? index * this.stride : -1
  }

  target(index: number): number {
    if (!(index < this.maxEntries) || this.present[index] === 0) return -1
    return this.kind === 'cpumap' ? index : indexAt(this.values, index * this.stride)
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
