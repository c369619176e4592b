/** Address, length, and the two halves of the last word in the order of memory: flags and next, or buffer id and flags. */
export type DescriptorWords = readonly [address: number, length: number, third: number, fourth: number]

/** Writes one descriptor of a split or packed ring, or of an indirect table, which has any alignment, to memory. */
export function writeDescriptor(buffer: ArrayBufferLike, at: number, words: DescriptorWords): void {
  const [address, length, third, fourth] = words
  const data = new DataView(buffer, at, 16)
  data.setBigUint64(0, BigInt(address), true)
  data.setUint32(8, length, true)
  data.setUint16(12, third, true)
  data.setUint16(14, fourth, true)
}
