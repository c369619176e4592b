/**
 * The few eBPF instructions that this package's own programs are made of, 8 bytes each: opcode, registers, 16-bit
 * offset, 32-bit immediate. Source: RFC 9669.
 */
export type BpfInstruction = readonly [opcode: number, registers: number, offset: number, immediate: number]

const register = (destination: number, source = 0): number => (source << 4) | destination
/** In the source register of a 64-bit load: the immediate is the descriptor of a map. */
const BPF_PSEUDO_MAP_FD = 1

/** `destination = immediate`, 64 bits, sign-extended. */
export function movImmediate(destination: number, immediate: number): BpfInstruction {
  return [0xb7, register(destination), 0, immediate]
}

/** `destination = source`, 64 bits. */
export function movRegister(destination: number, source: number): BpfInstruction {
  return [0xbf, register(destination, source), 0, 0]
}

/** `destination += immediate`, 64 bits. */
export function addImmediate(destination: number, immediate: number): BpfInstruction {
  return [0x07, register(destination), 0, immediate]
}

/** `destination = *(u32 *)(source + offset)`. */
export function load32(destination: number, source: number, offset: number): BpfInstruction {
  return [0x61, register(destination, source), offset, 0]
}

/** `*(u32 *)(destination + offset) = immediate`. */
export function store32(destination: number, offset: number, immediate: number): BpfInstruction {
  return [0x62, register(destination), offset, immediate]
}

/** `*(u64 *)(destination + offset) += source`, atomically. */
export function atomicAdd64(destination: number, offset: number, source: number): BpfInstruction {
  return [0xdb, register(destination, source), offset, 0]
}

/** `destination = map`: two instructions. */
export function loadMap(destination: number, mapFd: number): BpfInstruction[] {
  return [
    [0x18, register(destination, BPF_PSEUDO_MAP_FD), 0, mapFd],
    [0, 0, 0, 0],
  ]
}

/** Skips `count` instructions when the register is zero, 64 bits. */
export function skipIfZero(source: number, count: number): BpfInstruction {
  return [0x15, register(source), count, 0]
}

/** Calls a helper function by its number; arguments in r1 to r5, result in r0. */
export function callHelper(helper: number): BpfInstruction {
  return [0x85, 0, 0, helper]
}

/** Returns r0. */
export function exitProgram(): BpfInstruction {
  return [0x95, 0, 0, 0]
}

/** The instructions as the kernel reads them. */
export function assembleBpf(instructions: readonly BpfInstruction[]): Uint8Array {
  const bytes = new Uint8Array(8 * instructions.length)
  const view = new DataView(bytes.buffer)
  for (const [index, [opcode, registers, offset, immediate]] of instructions.entries()) {
    view.setUint8(8 * index, opcode)
    view.setUint8(8 * index + 1, registers)
    view.setInt16(8 * index + 2, offset, true)
    view.setInt32(8 * index + 4, immediate, true)
  }
  return bytes
}
