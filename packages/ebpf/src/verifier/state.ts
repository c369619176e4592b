import { REGISTER_COUNT, STACK_BYTES } from '../isa/instruction.ts'
import { type IdPairs, isPacket, NONE, type Register, registerCovers, STALE, stackRegister } from './register.ts'

/**
 * Spills are kept by aligned words of 4 bytes, one of 8 bytes by its first. In the upper half of 8 aligned bytes zeros
 * are kept, as in Linux (STACK_ZERO), and ranges, but no other constant. A counter there is any number, so that a loop
 * over it is not followed round by round. All other bytes of the stack may hold anything: a privileged program may read
 * what it never wrote (Linux 6.3 on, allow_uninit_stack).
 */
export const SLOT_BYTES = 4
const SLOTS = STACK_BYTES / SLOT_BYTES

/** The stack of a new frame. */
const NO_SPILLS: (Spill | null)[] = new Array<Spill | null>(SLOTS).fill(null)

/** A register stored whole: `bytes` at the start of a slot. */
export interface Spill {
  readonly register: Register
  readonly bytes: number
}

/** How a helper called a function: what was known then, and how to call it again. */
export interface FrameCallback {
  readonly before: VerifierState
  readonly call: { readonly target: number; readonly registers: readonly Register[] }
}

/** One frame of the call chain. Stack bytes are counted from its lowest address. */
export class Frame {
  readonly number: number
  /** Slot to go on at in the caller; -1 in the first frame. */
  readonly returnTo: number
  readonly registers: Register[]
  /** If a helper called it. */
  readonly callback: FrameCallback | null
  /** By slot; copies of a frame share it until one of them stores, see {@link setSpill}. */
  #spills: (Spill | null)[]
  #isShared = false
  /** No spill was ever kept below this slot: the stack is filled from its end. */
  #lowest: number

  constructor(number: number, returnTo: number, from?: Frame, callback: FrameCallback | null = null) {
    this.number = number
    this.returnTo = returnTo
    this.callback = from?.callback ?? callback
    this.registers = from?.registers.slice() ?? new Array<Register>(REGISTER_COUNT).fill(NONE)
    this.#spills = from === undefined ? NO_SPILLS : from.#spills
    this.#isShared = true
    this.#lowest = from === undefined ? SLOTS : from.#lowest
    if (from === undefined) this.registers[10] = stackRegister(number)
    else from.#isShared = true
  }

  /** What is kept of a slot of the stack, or null: its bytes may be anything. */
  spill(slot: number): Spill | null {
    return this.#spills[slot]!
  }

  setSpill(slot: number, spill: Spill | null): void {
    if (this.#spills[slot] === spill) return
    if (this.#isShared) this.#spills = this.#spills.slice()
    this.#isShared = false
    this.#spills[slot] = spill
    if (slot < this.#lowest) this.#lowest = slot
  }

  /** The first slot that may have a spill; {@link SLOTS} if none has. */
  get lowestSpill(): number {
    return this.#lowest
  }

  copy(): Frame {
    return new Frame(this.number, this.returnTo, this)
  }
}

/** Everything that the verifier knows at one point of one path. */
export class VerifierState {
  readonly frames: Frame[]
  /** Records of ring buffers that are still to be given back. */
  readonly references: Set<number>

  constructor(frames: Frame[] = [new Frame(0, -1)], references: ReadonlySet<number> = new Set()) {
    this.frames = frames
    this.references = new Set(references)
  }

  get frame(): Frame {
    return this.frames[this.frames.length - 1]!
  }

  get registers(): Register[] {
    return this.frame.registers
  }

  copy(): VerifierState {
    return new VerifierState(
      this.frames.map((frame) => frame.copy()),
      this.references,
    )
  }

  /** Replaces every register and spill for which `change` returns something else. */
  rewrite(change: (one: Register) => Register): void {
    for (const frame of this.frames) {
      const { registers } = frame
      for (let i = 0; i < registers.length; i++) registers[i] = change(registers[i]!)
      for (let slot = frame.lowestSpill; slot < SLOTS; slot++) {
        const spill = frame.spill(slot)
        if (spill === null) continue
        const changed = change(spill.register)
        if (changed !== spill.register) frame.setSpill(slot, { register: changed, bytes: spill.bytes })
      }
    }
  }

  /** Numbers on the stack may have changed: nothing is known of them. */
  forgetStackNumbers(): void {
    for (const frame of this.frames)
      for (let slot = frame.lowestSpill; slot < SLOTS; slot++)
        if (frame.spill(slot)?.register.kind === 'number') frame.setSpill(slot, null)
  }

  /** The packet may have moved: old pointers into it may not be used. */
  forgetPacket(): void {
    this.rewrite((one) => (isPacket(one.kind) ? STALE : one))
  }

  /** Drops relations that only one register has, so that more states are found equal. */
  dropLonelyIds(): void {
    const uses = new Map<number, number>()
    this.rewrite((one) => {
      if (one.id !== 0) uses.set(one.id, (uses.get(one.id) ?? 0) + 1)
      return one
    })
    if (uses.size === 0) return
    this.rewrite((one) => (one.kind === 'number' && one.id !== 0 && uses.get(one.id) === 1 ? { ...one, id: 0 } : one))
  }
}

/** Filled by one comparison at a time. */
const PAIRS: IdPairs = new Map()

/**
 * Whatever is safe from `known` on is safe from `now` on: each live register and each spill of `now` is among what
 * `known` allows for.
 *
 * @param live registers that may still be read, one mask per frame
 */
export function stateCovers(known: VerifierState, now: VerifierState, live: readonly number[]): boolean {
  if (known.frames.length !== now.frames.length || known.references.size !== now.references.size) return false
  const ids = PAIRS
  if (ids.size > 0) ids.clear()
  return known.frames.every((frame, depth) => {
    const other = now.frames[depth]!
    if (frame.returnTo !== other.returnTo || (frame.callback === null) !== (other.callback === null)) return false
    for (let i = 0; i < REGISTER_COUNT; i++) {
      if ((live[depth]! & (1 << i)) === 0) continue
      if (!registerCovers(frame.registers[i]!, other.registers[i]!, ids)) return false
    }
    return stackCovers(frame, other, ids)
  })
}

function stackCovers(known: Frame, now: Frame, ids: IdPairs): boolean {
  for (let slot = known.lowestSpill; slot < SLOTS; slot++) {
    const spill = known.spill(slot)
    if (spill === null) continue
    const other = now.spill(slot)
    if (other === null || other.bytes !== spill.bytes || !registerCovers(spill.register, other.register, ids))
      return false
  }
  return true
}
