/** A route of {@link FibTable}: where packets for a prefix go. */
export interface FibRoute {
  /** 4 or 16 bytes, network order. */
  readonly prefix: Uint8Array
  /** Bits of the prefix that count. */
  readonly length: number
  /** Interface to send by. */
  readonly ifindex: number
  /** MAC addresses, 6 bytes each: this host's on that interface, the neighbour's; without it: NO_NEIGH. */
  readonly sourceMac: Uint8Array
  readonly destinationMac?: Uint8Array
  /** The next router, as the prefix has bytes; default: the destination itself. */
  readonly gateway?: Uint8Array
  /** Bytes that a packet may have; default 1500. */
  readonly mtu?: number
  /** `blackhole`, `unreachable` and `prohibit` drop what matches. */
  readonly kind?: 'unicast' | 'blackhole' | 'unreachable' | 'prohibit' | 'local'
}

/** Routes that `bpf_fib_lookup` knows; the longest prefix that matches counts. */
export type FibTable = readonly FibRoute[]

// struct bpf_fib_lookup, Linux include/uapi/linux/bpf.h.
const FAMILY = 0
const TOT_LEN = 6
const IFINDEX = 8
const DESTINATION = 32
const VLAN = 48
const SOURCE_MAC = 52
const DESTINATION_MAC = 58
const AF_INET = 2
const AF_INET6 = 10
const EAFNOSUPPORT = -97
const MTU_DEFAULT = 1500
/** What the helper returns, BPF_FIB_LKUP_RET_. */
const SUCCESS = 0
const NOT_FORWARDED = 4
const NO_NEIGHBOUR = 7
const FRAG_NEEDED = 8
const DROPPING = { blackhole: 1, unreachable: 2, prohibit: 3, local: NOT_FORWARDED } as const

/**
 * Looks a destination up and fills in interface, next hop and MAC addresses.
 *
 * @param view memory with a struct bpf_fib_lookup at `at`
 * @returns one of BPF_FIB_LKUP_RET_, or a negative errno
 */
export function lookUpRoute(routes: FibTable, view: DataView, at: number): number {
  const family = view.getUint8(at + FAMILY)
  if (family !== AF_INET && family !== AF_INET6) return EAFNOSUPPORT
  const bytes = family === AF_INET ? 4 : 16
  let best: FibRoute | undefined
  for (const route of routes) {
    if (route.prefix.length !== bytes || route.length <= (best?.length ?? -1)) continue
    if (matches(route, view, at + DESTINATION)) best = route
  }
  if (best === undefined) return NOT_FORWARDED
  const { kind = 'unicast', gateway, sourceMac, destinationMac, ifindex, mtu = MTU_DEFAULT } = best
  if (kind !== 'unicast') return DROPPING[kind]
  const length = view.getUint16(at + TOT_LEN, true)
  if (length > mtu) {
    view.setUint16(at + TOT_LEN, mtu, true)
    return FRAG_NEEDED
  }
  view.setUint32(at + IFINDEX, ifindex, true)
  if (gateway !== undefined) write(view, at + DESTINATION, gateway)
  if (destinationMac === undefined) return NO_NEIGHBOUR
  view.setUint32(at + VLAN, 0, true)
  write(view, at + SOURCE_MAC, sourceMac)
  write(view, at + DESTINATION_MAC, destinationMac)
  return SUCCESS
}

function matches({ prefix, length }: FibRoute, view: DataView, at: number): boolean {
  for (let bit = 0; bit < length; bit += 8) {
    const mask = length - bit >= 8 ? 0xff : (0xff00 >> (length - bit)) & 0xff
    if (((prefix[bit >> 3]! ^ view.getUint8(at + (bit >> 3))) & mask) !== 0) return false
  }
  return true
}

function write(view: DataView, at: number, bytes: Uint8Array): void {
  for (const [i, byte] of bytes.entries()) view.setUint8(at + i, byte)
}
