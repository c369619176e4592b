/** An integer in a key or value. */
export interface IntegerField {
  /** As C would name it within the value: `rx.packets`, `counts[3]`; empty: it is the whole value. */
  readonly path: string
  /** Byte offset. */
  readonly offset: number
  readonly bytes: 1 | 2 | 4 | 8
  readonly signed: boolean
}

/** Integers that are told of one type, in the order of their places, at most. */
export const INTEGER_FIELDS_MAX = 1024

/** The integer of a field in the bytes of a key or value. Exact up to 2^53. */
export function readInteger(bytes: Uint8Array, { offset, bytes: size, signed }: IntegerField): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (size === 1) return signed ? view.getInt8(offset) : view.getUint8(offset)
  if (size === 2) return signed ? view.getInt16(offset, true) : view.getUint16(offset, true)
  if (size === 4) return signed ? view.getInt32(offset, true) : view.getUint32(offset, true)
  return Number(signed ? view.getBigInt64(offset, true) : view.getBigUint64(offset, true))
}
