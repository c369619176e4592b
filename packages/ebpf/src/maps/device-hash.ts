import { refused } from '@vring/layout'
import { indexAt, indexKeyOf } from './base-map.ts'
import type { EbpfMapDefinition } from './ebpf-map.ts'
import { HashMap } from './hash-map.ts'
import type { RedirectTargets } from './redirect-targets.ts'

/** Interfaces by any 32-bit key, such as their own number. Source: Linux kernel/bpf/devmap.c, BPF_MAP_TYPE_DEVMAP_HASH. */
export class DeviceHash extends HashMap implements RedirectTargets {
  readonly kind = 'devmap-hash'
  private readonly key = indexKeyOf(0)

  constructor(definition: EbpfMapDefinition) {
    super(definition)
    const { name, keyBytes, valueBytes } = definition
    if (keyBytes !== 4) throw refused('ERR_INVALID_ARGUMENT', `map ${name}: key size`, keyBytes, '4')
    if (valueBytes !== 4 && valueBytes !== 8)
      throw refused('ERR_INVALID_ARGUMENT', `map ${name}: value size`, valueBytes, '4, 8')
  }

  target(key: number): number {
    for (let i = 0; i < 4; i++) this.key[i] = key >>> (8 * i)
    const at = this.find(this.key, 0)
    return at < 0 ? -1 : indexAt(this.values, at)
  }
}
