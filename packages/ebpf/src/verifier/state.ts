import { REGISTER_COUNT, STACK_BYTES } from '../isa/instruction.ts'
import { type IdPairs, isPacket, NONE, type Register, registerCovers, STALE, stackRegister } from './register.ts'

/**
 * Spills are kept by aligned slots of 8 bytes. All other bytes of the stack may hold anything: a privileged program may read
 * what it never wrote (Linux 6.3 on, allow_uninit_stack).
 */
export const SLOT_BYTES = 8
const SLOTS = STACK_BYTES / SLOT_BYTES

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
  readonly spills: (Spill | null)[]

  constructor(number: number, returnTo: number, from?: Frame, callback: FrameCallback | null = null) {
    this.number = number
    this.returnTo = returnTo
    this.callback = from?.callback ?? callback
    this.registers = from?.registers.slice() ?? new Array<Register>(REGISTER_COUNT).fill(NONE)
    this.spills = from?.spills.slice() ?? new Array<Spill | null>(SLOTS).fill(null)
    if (from === undefined) this.registers[10] = stackRegister(number)
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
    for (const { registers, spills } of this.frames) {
      for (let i = 0; i < registers.length; i++) registers[i] = change(registers[i]!)
      for (let i = 0; i < spills.length; i++) {
        const spill = spills[i]
        if (spill === null || spill === undefined) continue
        const changed = change(spill.register)
        if (changed !== spill.register) spills[i] = { register: changed, bytes: spill.bytes }
      }
    }
  }

  /** Numbers on the stack may have changed: nothing is known of them. */
  forgetStackNumbers(): void {
    for (const { spills } of this.frames)
      for (let i = 0; i < spills.length; i++) if (spills[i]?.register.kind === 'number') spills[i] = null
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
  for (let slot = 0; slot < SLOTS; slot++) {
    const spill = known.spills[slot]!
    if (spill === null) continue
    const other = now.spills[slot]!
    if (other === null || other.bytes !== spill.bytes || !registerCovers(spill.register, other.register, ids))
      return false
  }
  return true
}
