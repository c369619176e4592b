import { PIECES_BETWEEN_YIELDS } from '../give-way.ts'

/** The operand may hold a number; a pointer; a number whose high half is not zero. */
export const DESTINATION_NUMBER = 1
export const DESTINATION_POINTER = 2
export const DESTINATION_WIDE = 4
export const SOURCE_NUMBER = 8
export const SOURCE_POINTER = 16
export const SOURCE_WIDE = 32
/** The result may be a number whose high half is not zero. */
export const RESULT_WIDE = 64
/** A condition may hold; may fail. */
export const TAKEN = 128
export const NOT_TAKEN = 256
/** Some path executes the instruction. */
export const REACHED = 512
/** Some path loads from the context here. */
export const CONTEXT_ACCESS = 1024
/** Some path writes to the packet or moves its ends here. */
export const PACKET_CHANGE = 2048

/** The key of a look-up may be outside of its array. */
export const KEY_MAY_MISS = 4096
/** A divisor may be zero. */
export const DIVISOR_MAY_BE_ZERO = 8192

/** No access was seen. */
export const FACT_NONE = -1
/** Paths differ. */
export const FACT_MIXED = -2

/**
 * What holds for an instruction on every path that reaches it: what the compiler may rely on. Bits of `flags` say what
 * may happen, so paths join by or; the columns join to {@link FACT_MIXED} where they differ.
 */
export class Facts {
  readonly flags: Uint16Array
  /** Region number (see memory-region.ts) that a load, store or atomic reaches. */
  readonly region: Int32Array
  /** Constant byte offset of the access in its region: context field, or stack address. */
  readonly address: Int32Array
  /** Map that a helper call is about. */
  readonly map: Int32Array

  constructor(slots: number) {
    this.flags = new Uint16Array(slots)
    this.region = new Int32Array(slots).fill(FACT_NONE)
    this.address = new Int32Array(slots).fill(FACT_NONE)
    this.map = new Int32Array(slots).fill(FACT_NONE)
  }

  join(column: Int32Array, index: number, value: number): void {
    const before = column[index]!
    column[index] = before === FACT_NONE || before === value ? value : FACT_MIXED
  }
}

/** Whether some path writes to the packet, or moves its ends. */
export function* changesPacket({ flags }: Facts): Generator<void, boolean> {
  for (let index = 0; index < flags.length; index++) {
    if (index % PIECES_BETWEEN_YIELDS === 0) yield
    if ((flags[index]! & PACKET_CHANGE) !== 0) return true
  }
  return false
}
