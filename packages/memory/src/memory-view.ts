/**
 * One backing buffer seen at every width a ring needs. Offsets that an {@link AddressMap} resolves are byte offsets into
 * it. Little-endian hosts only, as virtio 1.x rings are little-endian and typed arrays are native-endian.
 */
export interface MemoryView {
  readonly buffer: ArrayBufferLike
  readonly u8: Uint8Array
  readonly u16: Uint16Array
  readonly u32: Uint32Array
}

/** Views over a whole buffer; its length must be a multiple of 4 bytes. */
export function memoryView(buffer: ArrayBufferLike): MemoryView {
  return {
    buffer,
    u8: new Uint8Array(buffer),
    u16: new Uint16Array(buffer),
    u32: new Uint32Array(buffer),
  }
}
