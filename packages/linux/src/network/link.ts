import { fixedBytes, libc } from '../libc.ts'
import { systemError } from '../system-error.ts'
import { checkInterfaceName } from './interface-name.ts'
import {
  netlinkAttribute,
  netlinkAttribute32,
  netlinkRequest,
  parseNetlinkAttributes,
  zeroTerminated,
} from './netlink.ts'

export const RTM_NEWLINK = 16
export const RTM_DELLINK = 17
export const RTM_GETLINK = 18

/** struct ifinfomsg, `<linux/rtnetlink.h>`. */
export const IFINFOMSG = { size: 16, ifi_index: 4, ifi_flags: 8, ifi_change: 12 } as const
export const IFF_UP = 1

const IFLA_ADDRESS = 1
export const IFLA_IFNAME = 3
export const IFLA_MTU = 4
const IFLA_LINK = 5
const IFLA_LINKINFO = 18
const IFLA_INFO_KIND = 1
const IFLA_LINK_NETNSID = 37
const IFLA_STATS64 = 23
const IFLA_NUM_TX_QUEUES = 31
const IFLA_NUM_RX_QUEUES = 32
const IFLA_CARRIER = 33
const IFLA_XDP = 43
const IFLA_XDP_FD = 1
const IFLA_XDP_ATTACHED = 2
const IFLA_XDP_FLAGS = 3
const IFLA_XDP_PROG_ID = 4
const NLA_F_NESTED = 0x8000

const XDP_FLAGS_UPDATE_IF_NOEXIST = 1
/** Where an XDP program runs: in the driver's receive path, or in the stack on any interface. */
export const XDP_MODE_FLAGS = { generic: 2, native: 4 } as const
export type XdpMode = keyof typeof XDP_MODE_FLAGS
const ATTACHED_NAMES = ['none', 'native', 'generic', 'offload', 'multi'] as const

/** What the kernel says about an interface. */
export interface LinkInfo {
  readonly ifindex: number
  readonly name: string
  readonly up: boolean
  /** The other end is there. */
  readonly carrier: boolean
  /** Bytes that a frame may have after its Ethernet header. */
  readonly mtu: number
  /** `02:00:00:00:00:01`, or an empty string where the interface has none. */
  readonly address: string
  /** `veth`, `tun`, `bridge`, ...; empty for one that names none. */
  readonly kind: string
  /** Index of the interface that it is on, or of a veth's peer; 0: none. It is in this namespace if {@link peerHere}. */
  readonly peer: number
  /** False: {@link peer} is in another network namespace. */
  readonly peerHere: boolean
  readonly rxQueues: number
  readonly txQueues: number
  readonly xdp: { readonly mode: (typeof ATTACHED_NAMES)[number]; readonly programId: number }
  /** Frames and bytes since the interface exists, exact up to 2^53. */
  readonly stats: {
    readonly rxPackets: number
    readonly txPackets: number
    readonly rxBytes: number
    readonly txBytes: number
    readonly rxDropped: number
    readonly txDropped: number
  }
}

/**
 * Index of an interface of this thread's network namespace.
 *
 * @throws VringError ERR_OUT_OF_RANGE for a name; ERR_SYSTEM with ENODEV when there is none
 */
export function interfaceIndex(name: string): number {
  checkInterfaceName(name)
  const ifindex = libc().if_nametoindex(name)
  if (ifindex === 0) throw systemError('if_nametoindex', libc().errno(), name)
  return ifindex
}

/** Attributes of an interface by their numbers. @throws VringError ERR_SYSTEM with ENODEV when it is gone */
export function linkAttributes(ifindex: number): Map<number, Uint8Array> {
  const answer = netlinkRequest(RTM_GETLINK, linkMessage(ifindex), `reading interface ${ifindex}`)!
  return parseNetlinkAttributes(answer.subarray(IFINFOMSG.size))
}

/** @throws VringError ERR_SYSTEM with ENODEV when it is gone */
export function linkInfo(ifindex: number): LinkInfo {
  const answer = netlinkRequest(RTM_GETLINK, linkMessage(ifindex), `reading interface ${ifindex}`)!
  const view = new DataView(answer.buffer)
  const attributes = parseNetlinkAttributes(answer.subarray(IFINFOMSG.size))
  const number = (type: number): number => word(attributes.get(type))
  const xdp = parseNetlinkAttributes(attributes.get(IFLA_XDP) ?? new Uint8Array(0))
  const stats = attributes.get(IFLA_STATS64)!
  const counters = new DataView(stats.buffer, stats.byteOffset, stats.byteLength)
  const counter = (index: number): number => Number(counters.getBigUint64(8 * index, true))
  return {
    ifindex: view.getInt32(IFINFOMSG.ifi_index, true),
    name: zeroTerminated(attributes.get(IFLA_IFNAME)!),
    up: (view.getUint32(IFINFOMSG.ifi_flags, true) & IFF_UP) !== 0,
    carrier: attributes.get(IFLA_CARRIER)?.[0] === 1,
    mtu: number(IFLA_MTU),
    address: [...(attributes.get(IFLA_ADDRESS) ?? [])].map((byte) => byte.toString(16).padStart(2, '0')).join(':'),
    kind: zeroTerminated(
      parseNetlinkAttributes(attributes.get(IFLA_LINKINFO) ?? new Uint8Array(0)).get(IFLA_INFO_KIND) ??
        new Uint8Array(0),
    ),
    peer: number(IFLA_LINK),
    peerHere: !attributes.has(IFLA_LINK_NETNSID),
    rxQueues: number(IFLA_NUM_RX_QUEUES),
    txQueues: number(IFLA_NUM_TX_QUEUES),
    xdp: {
      mode: ATTACHED_NAMES[xdp.get(IFLA_XDP_ATTACHED)?.[0] ?? 0] ?? 'none',
      programId: word(xdp.get(IFLA_XDP_PROG_ID)),
    },
    stats: {
      rxPackets: counter(0),
      txPackets: counter(1),
      rxBytes: counter(2),
      txBytes: counter(3),
      rxDropped: counter(6),
      txDropped: counter(7),
    },
  }
}

/**
 * Brings an interface up or down, and sets its MTU in bytes.
 *
 * @throws VringError ERR_SYSTEM
 */
export function setLink(ifindex: number, change: { readonly up?: boolean; readonly mtu?: number }): void {
  const flags = change.up === undefined ? undefined : change.up ? IFF_UP : 0
  const mtu = change.mtu === undefined ? [] : [netlinkAttribute32(IFLA_MTU, change.mtu)]
  const what = [
    ...(change.up === undefined ? [] : [change.up ? 'bringing it up' : 'bringing it down']),
    ...(change.mtu === undefined ? [] : [`setting its MTU to ${change.mtu}`]),
  ]
  netlinkRequest(RTM_NEWLINK, linkMessage(ifindex, flags, mtu), `interface ${ifindex}: ${what.join(', ')}`)
}

/** @throws VringError ERR_SYSTEM */
export function deleteLink(ifindex: number): void {
  netlinkRequest(RTM_DELLINK, linkMessage(ifindex), `deleting interface ${ifindex}`)
}

/**
 * Attaches an XDP program to an interface that has none in this mode, or with `programFd` -1 takes it off again.
 *
 * @throws VringError ERR_SYSTEM: EBUSY (it has one), EOPNOTSUPP (its driver has no native mode), EPERM
 */
export function setLinkXdp(ifindex: number, programFd: number, mode: XdpMode): void {
  const flags = XDP_MODE_FLAGS[mode] | (programFd < 0 ? 0 : XDP_FLAGS_UPDATE_IF_NOEXIST)
  const nested = concat([netlinkAttribute32(IFLA_XDP_FD, programFd), netlinkAttribute32(IFLA_XDP_FLAGS, flags)])
  const what = `${programFd < 0 ? 'detaching' : 'attaching'} XDP, ${mode} mode, interface ${ifindex}`
  netlinkRequest(
    RTM_NEWLINK,
    linkMessage(ifindex, undefined, [netlinkAttribute(IFLA_XDP | NLA_F_NESTED, nested)]),
    what,
  )
}

/** ifinfomsg and attributes; `flags` undefined leaves the interface's flags alone. */
function linkMessage(ifindex: number, flags?: number, attributes: readonly Uint8Array[] = []): Uint8Array {
  const head = fixedBytes(IFINFOMSG.size)
  const view = new DataView(head.buffer)
  view.setInt32(IFINFOMSG.ifi_index, ifindex, true)
  view.setUint32(IFINFOMSG.ifi_flags, flags ?? 0, true)
  view.setUint32(IFINFOMSG.ifi_change, flags === undefined ? 0 : IFF_UP, true)
  return concat([head, ...attributes])
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = fixedBytes(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** A 32-bit number of an attribute; 0 where it is missing. */
function word(payload: Uint8Array | undefined): number {
  if (payload === undefined || payload.length < 4) return 0
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0, true)
}
