import { isVringError } from '@vring/layout'
import {
  decodeMessage,
  encodeMessage,
  FLAG_REPLY,
  HEADER_BYTES,
  MESSAGES,
  type MessageSpec,
  type PayloadCodec,
} from '@vring/vhost-user'
import { expectThat, type FuzzTarget } from '../engine/target.ts'

const SPECS: readonly MessageSpec<unknown, unknown>[] = Object.values(MESSAGES)

/** Decodes what a codec takes, writes it again, and decodes that: the same, or the codec loses something. */
function roundTrip(codec: PayloadCodec<unknown>, payload: Uint8Array): number {
  const [least, most] = codec.bytes
  if (payload.length < least || payload.length > most) return 0
  let value: unknown
  try {
    value = codec.decode(new DataView(payload.buffer, payload.byteOffset, payload.length))
  } catch (error) {
    if (isVringError(error)) return 0
    throw error
  }
  const written = codec.encode(value)
  const again = codec.decode(new DataView(written.buffer, written.byteOffset, written.length))
  expectThat(text(again) === text(value), `${codec.name}: ${text(value)} is read back as ${text(again)}`)
  return 1
}

function text(value: unknown): string {
  return JSON.stringify(value, (_, field: unknown) => (typeof field === 'bigint' ? `${field}n` : field)) ?? 'undefined'
}

export const target: FuzzTarget = {
  name: 'message-decoder',
  description:
    'a message as bytes: it is described without a throw, and a payload that is read is written back the same',
  unit: 'messages',
  maxBytes: 1024,
  seeds: SPECS.flatMap((spec) =>
    [0, FLAG_REPLY].map((flags) => encodeMessage(spec.id, flags, new Uint8Array(spec.request.bytes[0]).fill(1))),
  ),
  run(input) {
    expectThat(typeof decodeMessage(input, [3]) === 'string', 'no description')
    if (input.length < HEADER_BYTES) return 1
    const id = new DataView(input.buffer, input.byteOffset).getUint32(0, true)
    const payload = input.slice(HEADER_BYTES)
    let count = 1
    for (const spec of SPECS)
      if (spec.id === id)
        for (const codec of [spec.request, spec.reply]) if (codec !== null) count += roundTrip(codec, payload)
    return count
  },
}
