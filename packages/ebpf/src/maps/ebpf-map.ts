import type { EbpfMapType } from './map-types.ts'

/** What a map is: the fields of struct bpf_map_def, in bytes and entries. */
export interface EbpfMapDefinition {
  readonly name: string
  readonly type: EbpfMapType
  readonly keyBytes: number
  readonly valueBytes: number
  readonly maxEntries: number
  /** Flags of BPF_MAP_CREATE, `map_flags`; default 0. */
  readonly flags?: number
  /** What a map of maps holds. */
  readonly inner?: EbpfMapDefinition
  /** Programs may read values, not write them: a map made of a read-only section. */
  readonly readOnly?: boolean
}

/** Create or replace. */
export const BPF_ANY = 0
/** Create only. */
export const BPF_NOEXIST = 1
/** Replace only. */
export const BPF_EXIST = 2

// Errors of map operations, as the kernel returns them to programs.
export const ENOENT = -2
export const E2BIG = -7
export const EEXIST = -17

/**
 * A map, as programs see it: values at fixed places in one memory, so that a looked-up value is a byte offset.
 * Nothing is allocated after creation. One isolate owns a map.
 *
 * Keys and values are passed as a position in some memory. Flags are BPF_ANY, BPF_NOEXIST or BPF_EXIST.
 */
export interface EbpfMap extends EbpfMapDefinition {
  /** All values, in place. */
  readonly values: Uint8Array
  /** @returns byte offset of the key's value in `values`, or -1 */
  find(memory: Uint8Array, key: number): number
  /** @returns 0 or a negative errno */
  update(memory: Uint8Array, key: number, valueMemory: Uint8Array, value: number, flags: number): number
  /** @returns 0 or a negative errno */
  delete(memory: Uint8Array, key: number): number
  /** Every key that is present, as copies: for the control plane. */
  keys(): Uint8Array[]
  /** The live bytes of a key's value, or undefined: for the control plane. A per-CPU map gives CPU 0's; see `valueOfCpu`. */
  get(key: Uint8Array): Uint8Array | undefined
  /** Sets a value from the control plane. */
  set(key: Uint8Array, value: Uint8Array): void
}

/** Values start at multiples of 8 bytes, as in the kernel. */
export function valueStride(valueBytes: number): number {
  return (valueBytes + 7) & ~7
}
