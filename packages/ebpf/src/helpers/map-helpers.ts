import { EINVAL } from '@vring/layout'
import { high } from '../isa/wide.ts'
import { indexAt } from '../maps/base-map.ts'
import { isMapOfMaps } from '../maps/map-of-maps.ts'
import type { EbpfMapType } from '../maps/map-types.ts'
import { REGION_MAP_OBJECTS, REGION_MAP_VALUES } from '../runtime/memory-region.ts'
import { type Helper, signedResult } from './helper.ts'

const VALUE_MAPS: readonly EbpfMapType[] = [
  'array',
  'percpu-array',
  'hash',
  'percpu-hash',
  'lru-hash',
  'lru-percpu-hash',
  'lpm-trie',
]

/** Address of the value under a key, or null. */
export const MAP_LOOKUP_ELEM: Helper = {
  number: 1,
  name: 'map_lookup_elem',
  arguments: ['map', 'map-key'],
  result: 'value',
  // Maps of redirects may be asked whether a target is there: the value can be read, not written.
  maps: [...VALUE_MAPS, 'xskmap', 'devmap', 'devmap-hash', 'array-of-maps', 'hash-of-maps'],
  create: (machine) => {
    const { maps, regions } = machine
    return (_a, map, key, keyRegion) => {
      const index = map - REGION_MAP_OBJECTS
      const one = maps[index]!
      const at = one.find(regions[keyRegion]!.u8, key >>> 0)
      if (at >= 0 && isMapOfMaps(one)) {
        const held = one.held[indexAt(one.values, at)]
        high[0] = held === undefined ? 0 : REGION_MAP_OBJECTS + machine.numberOf(held)
        return 0
      }
      high[0] = at < 0 ? 0 : REGION_MAP_VALUES + index
      return Math.max(at, 0)
    }
  },
}

/** Helpers over maps that hold values. Source: Linux kernel/bpf/helpers.c. */
export const MAP_HELPERS: readonly Helper[] = [
  MAP_LOOKUP_ELEM,
  {
    number: 2,
    name: 'map_update_elem',
    arguments: ['map', 'map-key', 'map-value', 'number'],
    result: 'number',
    maps: VALUE_MAPS,
    create:
      ({ maps, regions }) =>
      (_a, map, key, keyRegion, value, valueRegion, flags, flagsHigh) => {
        const one = maps[map - REGION_MAP_OBJECTS]!
        if (flagsHigh !== 0) return signedResult(EINVAL)
        return signedResult(
          one.update(regions[keyRegion]!.u8, key >>> 0, regions[valueRegion]!.u8, value >>> 0, flags >>> 0),
        )
      },
  },
  {
    number: 3,
    name: 'map_delete_elem',
    arguments: ['map', 'map-key'],
    result: 'number',
    maps: VALUE_MAPS,
    create:
      ({ maps, regions }) =>
      (_a, map, key, keyRegion) =>
        signedResult(maps[map - REGION_MAP_OBJECTS]!.delete(regions[keyRegion]!.u8, key >>> 0)),
  },
]
