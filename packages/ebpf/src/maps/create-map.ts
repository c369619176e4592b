import { refused } from '@vring/layout'
import { ArrayMap } from './array-map.ts'
import type { EbpfMap, EbpfMapDefinition } from './ebpf-map.ts'
import { HashMap } from './hash-map.ts'
import { LruHashMap } from './lru-hash-map.ts'
import { RedirectTable } from './redirect-table.ts'

export interface CreateMapOptions {
  /** Copies of per-CPU arrays; default 1. */
  readonly cpus?: number
  /** The copy that programs see; default 0. */
  readonly cpu?: number
}

/**
 * Creates an empty map.
 *
 * @throws VringError naming the size or type that is not supported
 */
export function createMap(definition: EbpfMapDefinition, options: CreateMapOptions = {}): EbpfMap {
  const cpus = options.cpus ?? 1
  const cpu = options.cpu ?? 0
  if (!(Number.isInteger(cpus) && cpus >= 1 && cpus <= 1024))
    throw refused('ERR_OUT_OF_RANGE', 'cpus', cpus, '1 to 1024')
  if (!(Number.isInteger(cpu) && cpu >= 0 && cpu < cpus))
    throw refused('ERR_OUT_OF_RANGE', 'cpu', cpu, `0 to ${cpus - 1}`)
  switch (definition.type) {
    case 'array':
      return new ArrayMap(definition)
    case 'percpu-array':
      return new ArrayMap(definition, cpus, cpu)
    case 'hash':
      return new HashMap(definition)
    case 'lru-hash':
      return new LruHashMap(definition)
    case 'devmap':
    case 'xskmap':
      return new RedirectTable(definition)
    default:
      throw refused(
        'ERR_UNSUPPORTED',
        `map ${definition.name}: type`,
        definition.type,
        'one that programs here may use',
      )
  }
}
