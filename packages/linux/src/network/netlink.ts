import { VringError } from '@vring/layout'
import { SOCK_CLOEXEC } from '../abi.ts'
import { closeFd } from '../descriptors/fd.ts'
import { checked, fixedBytes } from '../libc.ts'
import { systemErrnoName } from '../system-error.ts'

export const AF_NETLINK = 16
export const SOCK_RAW = 3
export const NETLINK_ROUTE = 0
const SOL_NETLINK = 270
const NETLINK_CAP_ACK = 10
const NETLINK_EXT_ACK = 11

/** struct nlmsghdr, `<linux/netlink.h>`. */
export const NLMSGHDR = { size: 16, nlmsg_len: 0, nlmsg_type: 4, nlmsg_flags: 6 } as const
const NLM_F_REQUEST = 1
const NLM_F_ACK = 4
const NLM_F_ACK_TLVS = 0x200
const NLMSG_ERROR = 2
/** After the error number of an acknowledgement: the header of the request, then attributes. */
const NLMSGERR_BYTES = 4 + NLMSGHDR.size
const NLMSGERR_ATTR_MSG = 1
const NLA_HEADER_BYTES = 4
/** Without NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const NLA_TYPE_MASK = 0x3fff
/** The kernel's answers about one interface with all its attributes fit. */
const REPLY_BYTES = 65_536

/** One attribute: its header, the payload, and zeros to a multiple of 4 bytes. */
export function netlinkAttribute(type: number, payload: Uint8Array): Uint8Array {
  const length = NLA_HEADER_BYTES + payload.length
  const bytes = fixedBytes((length + 3) & ~3)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, length, true)
  view.setUint16(2, type, true)
  bytes.set(payload, NLA_HEADER_BYTES)
  return bytes
}

/** An attribute that holds a 32-bit number. */
export function netlinkAttribute32(type: number, value: number): Uint8Array {
  const payload = fixedBytes(4)
  new DataView(payload.buffer).setInt32(0, value, true)
  return netlinkAttribute(type, payload)
}

/** Payloads by attribute type; a repeated type keeps the last. Stops at what is not an attribute. */
export function parseNetlinkAttributes(bytes: Uint8Array): Map<number, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const attributes = new Map<number, Uint8Array>()
  for (let at = 0; at + NLA_HEADER_BYTES <= bytes.length; ) {
    const length = view.getUint16(at, true)
    if (length < NLA_HEADER_BYTES || length > bytes.length - at) break
    attributes.set(view.getUint16(at + 2, true) & NLA_TYPE_MASK, bytes.subarray(at + NLA_HEADER_BYTES, at + length))
    at += (length + 3) & ~3
  }
  return attributes
}

/**
 * One rtnetlink request and its answer, over a socket of its own.
 *
 * @param type RTM_*
 * @param body the message after its header
 * @param what for people
 * @returns the body of the answer, or null: only acknowledged
 * @throws VringError ERR_SYSTEM, with the kernel's own words (extended acknowledgement) where it gives some
 */
export function netlinkRequest(type: number, body: Uint8Array, what: string): Uint8Array | null {
  const fd = checked('socket', (c) => c.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), 'NETLINK_ROUTE')
  try {
    const on = new Uint8Array(new Int32Array([1]).buffer)
    checked('setsockopt', (c) => c.setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, on, 4), 'NETLINK_CAP_ACK')
    checked('setsockopt', (c) => c.setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, on, 4), 'NETLINK_EXT_ACK')
    const message = fixedBytes(NLMSGHDR.size + body.length)
    const view = new DataView(message.buffer)
    view.setUint32(NLMSGHDR.nlmsg_len, message.length, true)
    view.setUint16(NLMSGHDR.nlmsg_type, type, true)
    view.setUint16(NLMSGHDR.nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK, true)
    message.set(body, NLMSGHDR.size)
    checked('sendto', (c) => c.sendto(fd, message, message.length, 0, null, 0), what)
    return receiveAnswer(fd, what)
  } finally {
    closeFd(fd)
  }
}

/** Reads up to the acknowledgement, which comes last. */
function receiveAnswer(fd: number, what: string): Uint8Array | null {
  const buffer = fixedBytes(REPLY_BYTES)
  const view = new DataView(buffer.buffer)
  let answer: Uint8Array | null = null
  for (;;) {
    const received = checked('recvfrom', (c) => c.recvfrom(fd, buffer, buffer.length, 0, null, null), what)
    for (let at = 0; at + NLMSGHDR.size <= received; ) {
      const length = view.getUint32(at + NLMSGHDR.nlmsg_len, true)
      if (length < NLMSGHDR.size || length > received - at)
        throw new VringError('ERR_SYSTEM', `netlink: an answer of ${length} bytes (${what})`, { field: 'netlink' })
      const end = at + length
      if (view.getUint16(at + NLMSGHDR.nlmsg_type, true) === NLMSG_ERROR) {
        const errno = -view.getInt32(at + NLMSGHDR.size, true)
        if (errno === 0) return answer
        const flags = view.getUint16(at + NLMSGHDR.nlmsg_flags, true)
        const rest = buffer.subarray(at + NLMSGHDR.size + NLMSGERR_BYTES, end)
        throw netlinkError(errno, what, (flags & NLM_F_ACK_TLVS) === 0 ? new Uint8Array(0) : rest)
      }
      answer = buffer.slice(at + NLMSGHDR.size, end)
      at += (length + 3) & ~3
    }
  }
}

function netlinkError(errno: number, what: string, attributes: Uint8Array): VringError {
  const name = systemErrnoName(errno)
  const text = parseNetlinkAttributes(attributes).get(NLMSGERR_ATTR_MSG)
  const reason = text === undefined ? '' : `: ${zeroTerminated(text)}`
  return new VringError('ERR_SYSTEM', `netlink: ${name} (${what}${reason})`, { field: 'netlink', value: name })
}

/** The text before the first zero byte, or all of it. */
export function zeroTerminated(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end))
}
