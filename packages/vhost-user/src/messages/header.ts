import { refused } from '@vring/layout'

/**
 * Every message begins with three 32-bit words, and `size` bytes of payload follow:
 *
 * ```
 *   ┌─────────┬───────────────────────────────────────┬──────┬─────────
 *   │ request │ flags: version 1 │ reply │ need_reply │ size │ payload
 *   └─────────┴───────────────────────────────────────┴──────┴─────────
 *                bits 0-1           bit 2    bit 3
 * ```
 */
export const HEADER_BYTES = 12
/** The only version there is. */
export const PROTOCOL_VERSION = 1
/** This message answers one. */
export const FLAG_REPLY = 4
/** The sender wants an acknowledgement (REPLY_ACK). */
export const FLAG_NEED_REPLY = 8

export interface MessageHeader {
  readonly request: number
  readonly flags: number
  /** Bytes of payload. */
  readonly size: number
}

/** One message: header, payload and descriptors in the bytes that are sent. */
export function encodeMessage(request: number, flags: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, request, true)
  view.setUint32(4, PROTOCOL_VERSION | flags, true)
  view.setUint32(8, payload.length, true)
  bytes.set(payload, HEADER_BYTES)
  return bytes
}

/**
 * Reads a header. What is wrong here leaves no way to find the next message: the session ends.
 *
 * @param payloadMax bytes of payload after which the next message is looked for at most
 * @throws VringError ERR_PROTOCOL
 */
export function decodeHeader(bytes: Uint8Array, payloadMax: number): MessageHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES)
  const header = { request: view.getUint32(0, true), flags: view.getUint32(4, true), size: view.getUint32(8, true) }
  const version = header.flags & 3
  if (version !== PROTOCOL_VERSION) throw refused('ERR_PROTOCOL', 'version', version, String(PROTOCOL_VERSION))
  if (header.size > payloadMax) throw refused('ERR_PROTOCOL', 'payload size', header.size, `at most ${payloadMax}`)
  return header
}
