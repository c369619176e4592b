/**
 * One backing buffer seen at every width a ring needs. Offsets that an {@link AddressMap} resolves are byte offsets into
 * it. Little-endian hosts only, as virtio 1.x rings are little-endian and typed arrays are native-endian.
 */
export interface MemoryView {
  readonly buffer: ArrayBufferLike
  readonly u8: Uint8Array
  readonly u16: Uint16Array
  readonly u32: Uint32Array
  /**
   * For copies, from one such view to another and nothing else: then V8 moves 64-bit words and makes no BigInt. Without the
   * buffer's last 4 bytes where its length is no multiple of 8.
   */
  readonly u64: BigUint64Array
  /** Another thread or process has it too: what it wrote comes over from the caches of another CPU. */
  readonly shared: boolean
}

/**
 * Views over a whole buffer; its length must be a multiple of 4 bytes.
 *
 * @param shared default: whether the buffer is a SharedArrayBuffer. That of a mapping that others have too is none
 */
export function memoryView(buffer: ArrayBufferLike, shared: boolean = !(buffer instanceof ArrayBuffer)): MemoryView {
  return {
    buffer,
    u8: new Uint8Array(buffer),
    u16: new Uint16Array(buffer),
    u32: new Uint32Array(buffer),
    u64: new BigUint64Array(buffer, 0, buffer.byteLength >>> 3),
    shared,
  }
}
