import { fixedBytes, libc } from '../libc.ts'
import { nativeAddress } from '../native-address.ts'
import { systemError } from '../system-error.ts'

/** Commands of bpf(2). Source: Linux include/uapi/linux/bpf.h, enum bpf_cmd. */
export const BPF_MAP_CREATE = 0
export const BPF_MAP_LOOKUP_ELEM = 1
export const BPF_MAP_UPDATE_ELEM = 2
export const BPF_MAP_DELETE_ELEM = 3
export const BPF_MAP_GET_NEXT_KEY = 4
export const BPF_PROG_LOAD = 5
export const BPF_OBJ_PIN = 6
export const BPF_OBJ_GET = 7
export const BPF_PROG_TEST_RUN = 10
export const BPF_PROG_GET_FD_BY_ID = 13
export const BPF_OBJ_GET_INFO_BY_FD = 15
export const BPF_BTF_LOAD = 18
export const BPF_MAP_FREEZE = 22
export const BPF_LINK_CREATE = 28

/** Bytes of a name of a program or map, its terminating zero included. */
const BPF_OBJ_NAME_LEN = 16

/**
 * `union bpf_attr` by hand: fields at their offsets, buffers by address. Holds on to the buffers, so that they live as
 * long as it does.
 */
export class BpfAttribute {
  readonly bytes: Uint8Array
  readonly #view: DataView
  readonly #buffers: Uint8Array[] = []

  /** @param size bytes of the part of the union that the command reads, a multiple of 8 */
  constructor(size: number) {
    this.bytes = fixedBytes(size)
    this.#view = new DataView(this.bytes.buffer)
  }

  u32(offset: number, value: number): this {
    this.#view.setUint32(offset, value, true)
    return this
  }

  /** The address of a buffer of its own ({@link fixedBytes}). */
  pointer(offset: number, buffer: Uint8Array): this {
    this.#buffers.push(buffer)
    this.#view.setBigUint64(offset, BigInt(nativeAddress(buffer.buffer) + buffer.byteOffset), true)
    return this
  }

  /** A name as the kernel accepts it: at most 15 letters, digits, `_` and `.`; others become `_`. */
  name(offset: number, name: string): this {
    new TextEncoder().encodeInto(bpfName(name), this.bytes.subarray(offset))
    return this
  }
}

/** The name under which the kernel lists a program or map that is called `name` here. */
export function bpfName(name: string): string {
  return name.replace(/[^\w.]/g, '_').slice(0, BPF_OBJ_NAME_LEN - 1)
}

/** bpf(2): its result, or a negative errno. */
export function bpf(command: number, attribute: BpfAttribute): number {
  const c = libc()
  const result = c.bpf(command, attribute.bytes, attribute.bytes.length)
  return result < 0 ? -c.errno() : result
}

/**
 * bpf(2).
 *
 * @param what for people
 * @throws VringError ERR_SYSTEM
 */
export function bpfChecked(command: number, attribute: BpfAttribute, what: string): number {
  const result = bpf(command, attribute)
  if (result < 0) throw systemError('bpf', -result, what)
  return result
}

/** `struct bpf_prog_info` or `bpf_map_info`, whose first words are type and id. */
export function bpfObjectInfo(fd: number, size: number): Uint8Array {
  const info = fixedBytes(size)
  bpfChecked(BPF_OBJ_GET_INFO_BY_FD, new BpfAttribute(16).u32(0, fd).u32(4, size).pointer(8, info), 'object info')
  return info
}
