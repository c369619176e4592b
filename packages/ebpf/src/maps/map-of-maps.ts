import { refused } from '@vring/layout'
import { ArrayMap } from './array-map.ts'
import { indexKeyOf } from './base-map.ts'
import type { EbpfMap, EbpfMapDefinition } from './ebpf-map.ts'
import { HashMap } from './hash-map.ts'

/**
 * Maps by index or by key: a lookup gives a map. They are set from outside, with {@link setMap}. The value of an entry
 * is the number that this map gives to the one it holds, from 1. Source: Linux kernel/bpf/map_in_map.c.
 */
export interface MapOfMaps extends EbpfMap {
  readonly inner: EbpfMapDefinition
  /** Maps by their number; 0 is none. */
  readonly held: readonly (EbpfMap | undefined)[]
  /** Puts a map there, which must be like the inner one; null takes it away. @throws VringError naming what differs */
  setMap(key: Uint8Array | number, map: EbpfMap | null): void
}

/** Is it a map of maps? */
export function isMapOfMaps(map: EbpfMap): map is MapOfMaps {
  return map instanceof ArrayOfMaps || map instanceof HashOfMaps
}

/** The number of a map among those that are held; a new one if it is not there. */
function numberOf(held: (EbpfMap | undefined)[], map: EbpfMap): number {
  const known = held.indexOf(map)
  return known > 0 ? known : held.push(map) - 1
}

function checkInner(outer: EbpfMapDefinition, inner: EbpfMapDefinition, map: EbpfMapDefinition): void {
  for (const field of ['type', 'keyBytes', 'valueBytes'] as const)
    if (map[field] !== inner[field])
      throw refused('ERR_INVALID_ARGUMENT', `map ${map.name} in ${outer.name}: ${field}`, map[field], `${inner[field]}`)
  // Code for an array has its size in it. Source: Linux array_map_meta_equal.
  if (inner.type.endsWith('array') && map.maxEntries !== inner.maxEntries)
    throw refused(
      'ERR_INVALID_ARGUMENT',
      `map ${map.name} in ${outer.name}: max entries`,
      map.maxEntries,
      `${inner.maxEntries}`,
    )
}

function innerOf(definition: EbpfMapDefinition): EbpfMapDefinition {
  if (definition.inner === undefined)
    throw refused(
      'ERR_INVALID_ARGUMENT',
      `map ${definition.name}`,
      'without an inner map',
      'one with __array(values, ...)',
    )
  if (definition.valueBytes !== 4)
    throw refused('ERR_INVALID_ARGUMENT', `map ${definition.name}: value size`, definition.valueBytes, '4')
  return definition.inner
}

/** Maps by index. */
export class ArrayOfMaps extends ArrayMap implements MapOfMaps {
  readonly inner: EbpfMapDefinition
  readonly held: (EbpfMap | undefined)[] = [undefined]

  constructor(definition: EbpfMapDefinition) {
    super(definition)
    this.inner = innerOf(definition)
  }

  setMap(key: Uint8Array | number, map: EbpfMap | null): void {
    if (map !== null) checkInner(this, this.inner, map)
    const bytes = typeof key === 'number' ? indexKeyOf(key) : key
    this.set(bytes, indexKeyOf(map === null ? 0 : numberOf(this.held, map)))
  }
}

/** Maps by key. */
export class HashOfMaps extends HashMap implements MapOfMaps {
  readonly inner: EbpfMapDefinition
  readonly held: (EbpfMap | undefined)[] = [undefined]

  constructor(definition: EbpfMapDefinition) {
    super(definition)
    this.inner = innerOf(definition)
  }

  setMap(key: Uint8Array | number, map: EbpfMap | null): void {
    if (map !== null) checkInner(this, this.inner, map)
    const bytes = typeof key === 'number' ? indexKeyOf(key) : key
    if (map === null) this.delete(bytes, 0)
    else this.set(bytes, indexKeyOf(numberOf(this.held, map)))
  }
}
