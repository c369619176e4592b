/**
 * Memory that a program's pointers lead to. A pointer is a 64-bit value like any other. Its high half is the number of
 * a region, its low half a byte offset into it. Region 0 is the null pointer.
 *
 * ```
 *   1 context | 2 packet | 3 stack | 4 functions, by slot | 16 + n: values of map n | 0x100000 + n: map n itself, which has no bytes
 * ```
 */
export interface MemoryRegion {
  readonly u8: Uint8Array
  readonly view: DataView
}

export const REGION_NULL = 0
export const REGION_CONTEXT = 1
export const REGION_PACKET = 2
export const REGION_STACK = 3
export const REGION_FUNCTIONS = 4
/** Bytes that helpers pass to callbacks: keys of maps. */
export const REGION_SCRATCH = 5
/** Values of map 0; map n follows n later. */
export const REGION_MAP_VALUES = 16
/** The object of map 0; map n follows n later. */
export const REGION_MAP_OBJECTS = 0x100000
/** Maps that one program may use. Source: Linux MAX_USED_MAPS. */
export const PROGRAM_MAPS_MAX = 64

export function memoryRegion(u8: Uint8Array): MemoryRegion {
  return { u8, view: new DataView(u8.buffer, u8.byteOffset, u8.byteLength) }
}
