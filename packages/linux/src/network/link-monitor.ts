import { read } from 'node:fs'
import { SOCK_CLOEXEC } from '../abi.ts'
import { closeFd } from '../descriptors/fd.ts'
import { checked, fixedBytes, libc } from '../libc.ts'
import { IFF_UP, IFINFOMSG, IFLA_IFNAME, IFLA_MTU, RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK } from './link.ts'
import { AF_NETLINK, NETLINK_ROUTE, NLMSGHDR, parseNetlinkAttributes, SOCK_RAW, zeroTerminated } from './netlink.ts'

/** struct sockaddr_nl, `<linux/netlink.h>`. */
const SOCKADDR_NL = { size: 12, nl_family: 0, nl_groups: 8 } as const
const RTMGRP_LINK = 1
const NLM_F_REQUEST = 1
const IFLA_NEW_NETNSID = 45
const IFLA_NEW_IFINDEX = 49
const BUFFER_BYTES = 65_536

/** What happened to an interface. */
export type LinkEvent =
  | {
      readonly kind: 'changed'
      readonly ifindex: number
      readonly name: string
      readonly up: boolean
      readonly mtu: number
    }
  /** It is in another network namespace now. */
  | { readonly kind: 'moved'; readonly ifindex: number; readonly name: string }
  | { readonly kind: 'deleted'; readonly ifindex: number; readonly name: string }

/**
 * Tells of changes of the interfaces of this thread's network namespace, as rtnetlink does (RTNLGRP_LINK). It waits in a
 * read(2) of Node's thread pool: nothing runs while nothing happens. For the main thread.
 */
export class LinkMonitor {
  readonly #fd: number
  readonly #onEvent: (event: LinkEvent) => void
  readonly #buffer = fixedBytes(BUFFER_BYTES)
  readonly #ended: Promise<void>
  #closing = false

  private constructor(fd: number, onEvent: (event: LinkEvent) => void) {
    this.#fd = fd
    this.#onEvent = onEvent
    this.#ended = new Promise((resolve) => this.#read(resolve))
  }

  /** @throws VringError ERR_SYSTEM */
  static open(onEvent: (event: LinkEvent) => void): LinkMonitor {
    const fd = checked('socket', (c) => c.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), 'NETLINK_ROUTE')
    const address = fixedBytes(SOCKADDR_NL.size)
    const view = new DataView(address.buffer)
    view.setUint16(SOCKADDR_NL.nl_family, AF_NETLINK, true)
    view.setUint32(SOCKADDR_NL.nl_groups, RTMGRP_LINK, true)
    try {
      checked('bind', (c) => c.bind(fd, address, address.length), 'RTMGRP_LINK')
      return new LinkMonitor(fd, onEvent)
    } catch (error) {
      closeFd(fd)
      throw error
    }
  }

  /** Ends it: nothing is told any more. */
  async close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true
      // The read that waits ends with an answer: here to a question that is asked for that.
      const message = fixedBytes(NLMSGHDR.size + IFINFOMSG.size)
      const view = new DataView(message.buffer)
      view.setUint32(NLMSGHDR.nlmsg_len, message.length, true)
      view.setUint16(NLMSGHDR.nlmsg_type, RTM_GETLINK, true)
      view.setUint16(NLMSGHDR.nlmsg_flags, NLM_F_REQUEST, true)
      view.setInt32(NLMSGHDR.size + IFINFOMSG.ifi_index, 1, true)
      libc().sendto(this.#fd, message, message.length, 0, null, 0)
    }
    await this.#ended
  }

  #read(end: () => void): void {
    read(this.#fd, this.#buffer, 0, BUFFER_BYTES, null, (error, bytes) => {
      if (this.#closing) {
        closeFd(this.#fd)
        end()
        return
      }
      // ENOBUFS: there was more than the socket holds; what comes next says how things are.
      if (error === null) for (const event of parseLinkEvents(this.#buffer.subarray(0, bytes))) this.#onEvent(event)
      this.#read(end)
    })
  }
}

/** Events of one datagram of rtnetlink; what is none is passed over. */
export function parseLinkEvents(bytes: Uint8Array): LinkEvent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const events: LinkEvent[] = []
  for (let at = 0; at + NLMSGHDR.size <= bytes.length; ) {
    const length = view.getUint32(at + NLMSGHDR.nlmsg_len, true)
    if (length < NLMSGHDR.size || length > bytes.length - at) break
    const type = view.getUint16(at + NLMSGHDR.nlmsg_type, true)
    const body = at + NLMSGHDR.size
    if ((type === RTM_NEWLINK || type === RTM_DELLINK) && length >= NLMSGHDR.size + IFINFOMSG.size)
      events.push(linkEvent(type, view, bytes, body, at + length))
    at += (length + 3) & ~3
  }
  return events
}

function linkEvent(type: number, view: DataView, bytes: Uint8Array, body: number, end: number): LinkEvent {
  const ifindex = view.getInt32(body + IFINFOMSG.ifi_index, true)
  const attributes = parseNetlinkAttributes(bytes.subarray(body + IFINFOMSG.size, end))
  const name = zeroTerminated(attributes.get(IFLA_IFNAME) ?? new Uint8Array(0))
  if (type === RTM_DELLINK) {
    const moved = attributes.has(IFLA_NEW_NETNSID) || attributes.has(IFLA_NEW_IFINDEX)
    return { kind: moved ? 'moved' : 'deleted', ifindex, name }
  }
  const mtu = attributes.get(IFLA_MTU)
  return {
    kind: 'changed',
    ifindex,
    name,
    up: (view.getUint32(body + IFINFOMSG.ifi_flags, true) & IFF_UP) !== 0,
    mtu: mtu === undefined ? 0 : new DataView(mtu.buffer, mtu.byteOffset).getUint32(0, true),
  }
}
