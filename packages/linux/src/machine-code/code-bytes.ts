/** Code as it stands in a source. */
export function bytesOf(hexadecimal: string): Uint8Array {
  return Uint8Array.from(hexadecimal.match(/../g)!, (byte) => Number.parseInt(byte, 16))
}
