import { type Helper, REGION_MAP_OBJECTS, RedirectTable, wordResult } from '@vring/ebpf'
import { XDP_ABORTED, XDP_REDIRECT } from '../verdict.ts'
import type { XdpContext } from '../xdp-context.ts'

/** Low bits of redirect_map's flags: the verdict if the key has no target. */
const REDIRECT_FALLBACK_MASK = 3

/** Helpers that choose where a frame goes. Source: Linux net/core/filter.c, bpf_xdp_redirect and bpf_xdp_redirect_map. */
export const REDIRECT_HELPERS: readonly Helper<XdpContext>[] = [
  {
    number: 23,
    name: 'redirect',
    arguments: ['number', 'number'],
    result: 'number',
    create: (machine) => (ifindex, _i, flags, flagsHigh) => {
      if ((flags | flagsHigh) !== 0) return wordResult(XDP_ABORTED)
      machine.context.redirectTarget = ifindex >>> 0
      machine.context.redirectMap = null
      return wordResult(XDP_REDIRECT)
    },
  },
  {
    number: 51,
    name: 'redirect_map',
    arguments: ['map', 'number', 'number'],
    result: 'number',
    maps: ['devmap', 'xskmap'],
    create: (machine) => (_a, map, key, _k, flags, flagsHigh) => {
      const table = machine.maps[map - REGION_MAP_OBJECTS]
      if (flagsHigh !== 0 || (flags & ~REDIRECT_FALLBACK_MASK) !== 0 || !(table instanceof RedirectTable))
        return wordResult(XDP_ABORTED)
      const target = table.target(key >>> 0)
      if (target < 0) return wordResult(flags)
      machine.context.redirectTarget = target
      machine.context.redirectMap = table
      return wordResult(XDP_REDIRECT)
    },
  },
]
