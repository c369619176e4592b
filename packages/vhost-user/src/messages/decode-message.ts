import { isVringError } from '@vring/layout'
import { FLAG_NEED_REPLY, FLAG_REPLY, HEADER_BYTES } from './header.ts'
import { MESSAGES, type MessageSpec, requestLabel, requestName } from './messages.ts'

/**
 * A message as people read it, from the table: `SET_VRING_NUM need_reply index=0 num=256`. Never throws; what does not
 * decode is shown as bytes, with the reason.
 */
export function decodeMessage(bytes: Uint8Array, fds: readonly number[] = []): string {
  if (bytes.length < HEADER_BYTES) return `truncated header: ${hex(bytes)}`
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const id = view.getUint32(0, true)
  const flags = view.getUint32(4, true)
  const name = requestName(id)
  const words: string[] = [requestLabel(id)]
  if ((flags & FLAG_REPLY) !== 0) words.push('reply')
  if ((flags & FLAG_NEED_REPLY) !== 0) words.push('need_reply')
  const payload = bytes.subarray(HEADER_BYTES)
  if (name === null) words.push(hex(payload))
  else words.push(describePayload(MESSAGES[name], (flags & FLAG_REPLY) !== 0, payload))
  if (fds.length > 0) words.push(`fds=${fds.join(',')}`)
  return words.filter((word) => word !== '').join(' ')
}

function describePayload(spec: MessageSpec<unknown, unknown>, reply: boolean, payload: Uint8Array): string {
  if (payload.length === 0) return ''
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length)
  // A reply that the table does not name is an acknowledgement: 0 is done.
  if (reply && spec.reply === null) return payload.length === 8 ? `ack=${view.getBigUint64(0, true)}` : hex(payload)
  const codec = reply ? spec.reply! : spec.request
  const [least, most] = codec.bytes
  if (payload.length < least || payload.length > most) return `${hex(payload)} (no ${codec.name})`
  try {
    return describe(codec.decode(view))
  } catch (error) {
    return `${hex(payload)} (${isVringError(error) ? error.message : String(error)})`
  }
}

function describe(value: unknown): string {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`
  if (typeof value === 'number') return value > 0xffff ? `0x${value.toString(16)}` : String(value)
  if (value instanceof Uint8Array) return hex(value)
  if (Array.isArray(value)) return `[${value.map((entry) => `{${describe(entry)}}`).join(' ')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  return Object.entries(value)
    .map(([field, entry]) => `${field}=${describe(entry)}`)
    .join(' ')
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
