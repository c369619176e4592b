import { type EbpfMap, type Helper, REGION_MAP_OBJECTS, type RedirectTargets, wordResult } from '@vring/ebpf'
import { XDP_ABORTED, XDP_REDIRECT } from '../verdict.ts'
import { BPF_F_BROADCAST, BPF_F_EXCLUDE_INGRESS, type XdpContext } from '../xdp-context.ts'

/** Low bits of redirect_map's flags: the verdict if the key has no target. */
const FALLBACK_MASK = 3
const DEVICE_FLAGS = BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS

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
      machine.context.redirectFlags = 0
      return wordResult(XDP_REDIRECT)
    },
  },
  {
    number: 51,
    name: 'redirect_map',
    arguments: ['map', 'number', 'number'],
    result: 'number',
    maps: ['devmap', 'devmap-hash', 'xskmap', 'cpumap'],
    create: (machine) => (_a, map, key, _k, flags, flagsHigh) => {
      const targets = machine.maps[map - REGION_MAP_OBJECTS] as EbpfMap & RedirectTargets
      const accepted = targets.kind.startsWith('devmap') ? FALLBACK_MASK | DEVICE_FLAGS : FALLBACK_MASK
      if (flagsHigh !== 0 || (flags & ~accepted) !== 0) return wordResult(XDP_ABORTED)
      const target = targets.target(key >>> 0)
      if (target < 0 && (flags & BPF_F_BROADCAST) === 0) return wordResult(flags & FALLBACK_MASK)
      const { context } = machine
      context.redirectTarget = target
      context.redirectMap = targets
      context.redirectFlags = flags & DEVICE_FLAGS
      return wordResult(XDP_REDIRECT)
    },
  },
]
