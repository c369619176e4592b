import { interfaceIndex, linkAttributes } from './link.ts'
import { parseNetlinkAttributes, zeroTerminated } from './netlink.ts'

const IFLA_LINKINFO = 18
const IFLA_INFO_KIND = 1
const IFLA_INFO_DATA = 2
/** Linux include/uapi/linux/if_link.h. */
const IFLA_TUN_OWNER = 1
const IFLA_TUN_GROUP = 2
const IFLA_TUN_TYPE = 3
const IFLA_TUN_MULTI_QUEUE = 7
const IFF_TAP = 2

/** How a TUN or TAP was made. */
export interface TunFacts {
  readonly tap: boolean
  readonly multiQueue: boolean
  /** Who may open it without CAP_NET_ADMIN, or null. */
  readonly owner: number | null
  readonly group: number | null
}

/** What the kernel says of an interface of this name, or null: there is none, or it is no TUN or TAP. */
export function tunFacts(name: string): TunFacts | null {
  try {
    const info = parseNetlinkAttributes(linkAttributes(interfaceIndex(name)).get(IFLA_LINKINFO) ?? new Uint8Array(0))
    if (zeroTerminated(info.get(IFLA_INFO_KIND) ?? new Uint8Array(0)) !== 'tun') return null
    const data = parseNetlinkAttributes(info.get(IFLA_INFO_DATA) ?? new Uint8Array(0))
    const word = (type: number): number | null => {
      const bytes = data.get(type)
      return bytes === undefined ? null : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
    }
    return {
      tap: data.get(IFLA_TUN_TYPE)?.[0] === IFF_TAP,
      multiQueue: data.get(IFLA_TUN_MULTI_QUEUE)?.[0] === 1,
      ...{ owner: word(IFLA_TUN_OWNER), group: word(IFLA_TUN_GROUP) },
    }
  } catch {
    return null
  }
}
