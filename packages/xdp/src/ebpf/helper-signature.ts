import type { EbpfMapType } from '../maps/ebpf-map.ts'

/**
 * What a helper wants in a register.
 * `map-key` and `map-value`: as many readable bytes as the map of the same call has in a key or value.
 * `memory`: readable bytes, as many as the `size` in the next register says. `memory-or-null` may be null with size 0.
 * `optional-number`: a number, or never written.
 */
export type HelperArgument =
  | 'context'
  | 'map'
  | 'map-key'
  | 'map-value'
  | 'memory'
  | 'memory-or-null'
  | 'size'
  | 'size-or-zero'
  | 'number'
  | 'optional-number'

/** What r0 holds afterwards. `word`: an unsigned 32-bit number. `value`: address of a map value, or null. */
export type HelperResult = 'number' | 'word' | 'value'

export interface HelperSignature {
  readonly name: string
  readonly arguments: readonly HelperArgument[]
  readonly result: HelperResult
  /** Map types that it works on. */
  readonly maps?: readonly EbpfMapType[]
  /** The packet may move: pointers into it are lost. */
  readonly movesPacket?: boolean
}

export const HELPER_MAP_LOOKUP = 1
export const HELPER_MAP_UPDATE = 2
export const HELPER_MAP_DELETE = 3
export const HELPER_KTIME_GET_NS = 5
export const HELPER_TRACE_PRINTK = 6
export const HELPER_GET_PRANDOM_U32 = 7
export const HELPER_GET_SMP_PROCESSOR_ID = 8
export const HELPER_REDIRECT = 23
export const HELPER_CSUM_DIFF = 28
export const HELPER_XDP_ADJUST_HEAD = 44
export const HELPER_REDIRECT_MAP = 51
export const HELPER_XDP_ADJUST_META = 54
export const HELPER_XDP_ADJUST_TAIL = 65

const VALUE_MAPS: readonly EbpfMapType[] = ['array', 'percpu-array', 'hash', 'lru-hash']

/** Helpers that XDP programs may call, by number. Source: Linux include/uapi/linux/bpf.h, __BPF_FUNC_MAPPER. */
export const HELPERS: ReadonlyMap<number, HelperSignature> = new Map<number, HelperSignature>([
  [
    HELPER_MAP_LOOKUP,
    // An AF_XDP socket map may be asked whether a socket is there: the value can be read, not written.
    { name: 'map_lookup_elem', arguments: ['map', 'map-key'], result: 'value', maps: [...VALUE_MAPS, 'xskmap'] },
  ],
  [
    HELPER_MAP_UPDATE,
    {
      name: 'map_update_elem',
      arguments: ['map', 'map-key', 'map-value', 'number'],
      result: 'number',
      maps: VALUE_MAPS,
    },
  ],
  [HELPER_MAP_DELETE, { name: 'map_delete_elem', arguments: ['map', 'map-key'], result: 'number', maps: VALUE_MAPS }],
  [HELPER_KTIME_GET_NS, { name: 'ktime_get_ns', arguments: [], result: 'number' }],
  [
    HELPER_TRACE_PRINTK,
    {
      name: 'trace_printk',
      arguments: ['memory', 'size', 'optional-number', 'optional-number', 'optional-number'],
      result: 'number',
    },
  ],
  [HELPER_GET_PRANDOM_U32, { name: 'get_prandom_u32', arguments: [], result: 'word' }],
  [HELPER_GET_SMP_PROCESSOR_ID, { name: 'get_smp_processor_id', arguments: [], result: 'word' }],
  [HELPER_REDIRECT, { name: 'redirect', arguments: ['number', 'number'], result: 'number' }],
  [
    HELPER_CSUM_DIFF,
    {
      name: 'csum_diff',
      arguments: ['memory-or-null', 'size-or-zero', 'memory-or-null', 'size-or-zero', 'number'],
      result: 'number',
    },
  ],
  [
    HELPER_XDP_ADJUST_HEAD,
    { name: 'xdp_adjust_head', arguments: ['context', 'number'], result: 'number', movesPacket: true },
  ],
  [
    HELPER_REDIRECT_MAP,
    { name: 'redirect_map', arguments: ['map', 'number', 'number'], result: 'number', maps: ['devmap', 'xskmap'] },
  ],
  [
    HELPER_XDP_ADJUST_META,
    { name: 'xdp_adjust_meta', arguments: ['context', 'number'], result: 'number', movesPacket: true },
  ],
  [
    HELPER_XDP_ADJUST_TAIL,
    { name: 'xdp_adjust_tail', arguments: ['context', 'number'], result: 'number', movesPacket: true },
  ],
])
