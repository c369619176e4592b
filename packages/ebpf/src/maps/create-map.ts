import { refused } from '@vring/layout'
import { ArrayMap } from './array-map.ts'
import { DeviceHash } from './device-hash.ts'
import type { EbpfMap, EbpfMapDefinition } from './ebpf-map.ts'
import { HashMap } from './hash-map.ts'
import { LpmTrie } from './lpm-trie.ts'
import { LruHashMap } from './lru-hash-map.ts'
import { ArrayOfMaps, HashOfMaps } from './map-of-maps.ts'
import { type EbpfMapType, MAP_TYPE_NUMBERS } from './map-types.ts'
import { PerfEventArray } from './perf-events.ts'
import { ProgArray } from './prog-array.ts'
import { RedirectTable } from './redirect-table.ts'
import { RingBuffer } from './ring-buffer.ts'

export interface CreateMapOptions {
  /** Copies of values in per-CPU maps, and queues of perf events; default 1. */
  readonly cpus?: number
  /** The copy that programs see; default 0. */
  readonly cpu?: number
}

type Create = (definition: EbpfMapDefinition, cpus: number, cpu: number) => EbpfMap

/** The map types that programs here may use. */
const MAPS: Readonly<Partial<Record<EbpfMapType, Create>>> = {
  hash: (definition) => new HashMap(definition),
  array: (definition) => new ArrayMap(definition),
  'prog-array': (definition) => new ProgArray(definition),
  'perf-event-array': (definition, cpus) => new PerfEventArray(definition, cpus),
  'percpu-hash': (definition, cpus, cpu) => new HashMap(definition, cpus, cpu),
  'percpu-array': (definition, cpus, cpu) => new ArrayMap(definition, cpus, cpu),
  'lru-hash': (definition) => new LruHashMap(definition),
  'lru-percpu-hash': (definition, cpus, cpu) => new LruHashMap(definition, cpus, cpu),
  'lpm-trie': (definition) => new LpmTrie(definition),
  'array-of-maps': (definition) => new ArrayOfMaps(definition),
  'hash-of-maps': (definition) => new HashOfMaps(definition),
  devmap: (definition) => new RedirectTable(definition),
  cpumap: (definition) => new RedirectTable(definition),
  xskmap: (definition) => new RedirectTable(definition),
  'devmap-hash': (definition) => new DeviceHash(definition),
  ringbuf: (definition) => new RingBuffer(definition),
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
  const create = MAPS[definition.type]
  if (create === undefined)
    throw refused(
      'ERR_UNSUPPORTED',
      `map ${definition.name}: type`,
      `${definition.type} (${MAP_TYPE_NUMBERS[definition.type] ?? 'no number'})`,
      Object.keys(MAPS).join(', '),
    )
  try {
    return create(definition, cpus, cpu)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw refused(
      'ERR_OUT_OF_RANGE',
      `map ${definition.name}: entries`,
      definition.maxEntries,
      'as many as memory holds',
    )
  }
}
