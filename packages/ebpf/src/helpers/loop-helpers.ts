import { EINVAL } from '@vring/layout'
import { high } from '../isa/wide.ts'
import { REGION_MAP_OBJECTS, REGION_MAP_VALUES, REGION_SCRATCH } from '../runtime/memory-region.ts'
import { type Helper, signedResult } from './helper.ts'

const E2BIG = -7
/** Source: Linux kernel/bpf/bpf_iter.c, MAX_LOOPS. */
const LOOPS_MAX = 8 * 1024 * 1024

/** Helpers that call a function of the program. Source: Linux kernel/bpf/bpf_iter.c. */
export const LOOP_HELPERS: readonly Helper[] = [
  {
    number: 181,
    name: 'loop',
    arguments: ['number', 'callback', 'callback-context', 'number'],
    result: 'number',
    callbackArguments: ['index'],
    create: (machine) => (count, _c, callback, _f, context, region, flags, flagsHigh) => {
      if ((flags | flagsHigh) !== 0) return signedResult(EINVAL)
      if (count >>> 0 > LOOPS_MAX) return signedResult(E2BIG)
      const { frameEnd } = machine
      for (let i = 0; i < count; i++) {
        machine.frameEnd = frameEnd
        if (machine.invoke(callback, i, 0, context, region, 0, 0, 0, 0) !== 0) return signedResult(i + 1)
      }
      return signedResult(count)
    },
  },
  {
    number: 164,
    name: 'for_each_map_elem',
    arguments: ['map', 'callback', 'callback-context', 'number'],
    result: 'number',
    maps: ['array', 'percpu-array', 'hash', 'percpu-hash', 'lru-hash', 'lru-percpu-hash'],
    callbackArguments: ['map', 'map-key', 'map-value'],
    create: (machine) => (_m, map, callback, _f, context, region, flags, flagsHigh) => {
      if ((flags | flagsHigh) !== 0) return signedResult(EINVAL)
      const { frameEnd } = machine
      const number = map - REGION_MAP_OBJECTS
      const one = machine.maps[number]!
      const keys = one.keys()
      for (const [i, key] of keys.entries()) {
        const at = one.find(key, 0)
        if (at < 0) continue
        // A callback may run this helper itself: each call has its key for itself.
        machine.setScratch(key)
        machine.frameEnd = frameEnd
        if (machine.invoke(callback, 0, map, 0, REGION_SCRATCH, at, REGION_MAP_VALUES + number, context, region) !== 0)
          return signedResult(i + 1)
      }
      high[0] = 0
      return keys.length
    },
  },
]
