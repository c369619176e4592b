/** Blocks of pcapng and records of pcap for tests, little-endian. */
const words = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer)
const halves = (...values: number[]): Uint8Array => new Uint8Array(Uint16Array.from(values).buffer)

export const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts))
const padded = (bytes: Uint8Array): Uint8Array => join(bytes, new Uint8Array(-bytes.length & 3))

export function block(type: number, body: Uint8Array): Uint8Array {
  const total = 12 + padded(body).length
  return join(words(type, total), padded(body), words(total))
}

export const section = (major = 1): Uint8Array =>
  block(0x0a0d0d0a, join(words(0x1a2b3c4d), halves(major, 0), words(0xffffffff, 0xffffffff)))

export const describe1 = (options: Uint8Array = new Uint8Array(0), linkType = 1): Uint8Array =>
  block(1, join(halves(linkType, 0), words(0), options))

/** if_tsresol. */
export const resolution = (exponent: number): Uint8Array => join(halves(9, 1), Uint8Array.of(exponent, 0, 0, 0))

export function packet(time: bigint, frame: Uint8Array, interfaceId = 0, original = frame.length): Uint8Array {
  const fields = words(interfaceId, Number(time >> 32n), Number(time & 0xffffffffn), frame.length, original)
  return block(6, join(fields, padded(frame)))
}

export const simple = (frame: Uint8Array): Uint8Array => block(3, join(words(frame.length), padded(frame)))

/** An Ethernet frame whose bytes after the header are `fill`. */
export function frame(fill: number, bytes = 60): Uint8Array {
  const one = new Uint8Array(bytes).fill(fill)
  one.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0].slice(0, bytes))
  return one
}

/** Classic pcap with microseconds. */
export const pcap = (records: readonly (readonly [seconds: number, frame: Uint8Array])[], major = 2): Uint8Array =>
  join(
    words(0xa1b2c3d4),
    halves(major, 4),
    words(0, 0, 65_535, 1),
    ...records.map(([seconds, bytes]) => join(words(seconds, 0, bytes.length, bytes.length), bytes)),
  )
