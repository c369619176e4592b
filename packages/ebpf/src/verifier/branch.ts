import type { Condition, JumpInstruction } from '../isa/instruction.ts'
import { PACKET_OFFSET_MAX } from './access.ts'
import { noteOperands, operandOf } from './arithmetic.ts'
import { ANYWHERE, isPacket, isPointer, NULLABLE, numberRegister, type Register } from './register.ts'
import { constant, isConstant, type Scalar } from './scalar.ts'
import { assume } from './scalar-assume.ts'
import { initialised, type Site } from './site.ts'
import type { VerifierState } from './state.ts'

/** What is known once the condition holds, or fails: applied to a state. */
export type Learn = (state: VerifierState) => void

/** The two outcomes of a comparison; undefined: that can't happen. */
export type Outcome = (holds: boolean) => Learn | undefined

/** Checks a comparison; its outcome narrows what the registers may hold. */
export function checkJump(site: Site, one: JumpInstruction): Outcome {
  const left = initialised(site, one.destination)
  const right = operandOf(site, one)
  if (left.kind === 'number' && right.kind === 'number') {
    noteOperands(site, left, right)
    return numbers(one, left, right)
  }
  if (one.bits === 32) {
    noteOperands(site, left, right, true)
    return () => nothing
  }
  if (isPointer(left) && isPointer(right)) return pointers(site, one, left, right)
  const pointer = isPointer(left) ? left : right
  const other = isPointer(left) ? right : left
  const equality = one.condition === 'eq' || one.condition === 'ne'
  const isNullTest = equality && isConstant(other.number) && other.number.min === 0n
  noteOperands(site, left, right, !isNullTest)
  if (!isNullTest) return () => nothing
  return (holds) => isNull(pointer, (one.condition === 'eq') === holds)
}

function numbers(one: JumpInstruction, left: Register, right: Register): Outcome {
  return (holds) => {
    const known = assume(one.condition, holds, one.bits, left.number, right.number)
    if (known === undefined) return undefined
    return (state) => {
      learn(state, one.destination, left, known.a)
      if (one.source >= 0) learn(state, one.source, right, known.b)
    }
  }
}

/** A register's number is narrower now, and so is every copy of it. */
function learn(state: VerifierState, number: number, before: Register, known: Scalar): void {
  if (before.id === 0) state.registers[number] = numberRegister(known)
  else state.rewrite((one) => (one.kind === 'number' && one.id === before.id ? numberRegister(known, before.id) : one))
}

function isNull(pointer: Register, assumed: boolean): Learn | undefined {
  const kind = NULLABLE.get(pointer.kind)
  const isThere = kind === undefined || (pointer.kind === 'map-value-or-null' && pointer.range === 1)
  if (isThere && assumed) return undefined
  if (kind === undefined) return nothing
  return (state) => {
    if (assumed) state.references.delete(pointer.reference)
    state.rewrite((one) => {
      if (one.kind !== pointer.kind || one.id !== pointer.id) return one
      return assumed
        ? numberRegister(ZERO)
        : { ...one, kind, id: 0, range: one.kind === 'memory-or-null' ? one.range : 0 }
    })
  }
}

function nothing(): void {}

const ZERO: Scalar = constant(0n)

function pointers(site: Site, one: JumpInstruction, left: Register, right: Register): Outcome {
  const packets = isPacket(left.kind) && isPacket(right.kind)
  const same =
    left.kind === right.kind && left.object === right.object && left.object !== ANYWHERE && !NULLABLE.has(left.kind)
  const equality = one.condition === 'eq' || one.condition === 'ne'
  // Offsets are compared within one memory; pointers to different ones are 64-bit numbers, of which nothing is learned.
  noteOperands(site, left, right, !equality && !packets && !same)
  if (!packets || ORDERED[one.condition] === undefined) return () => nothing
  return (holds) => (state) => {
    const order = ORDERED[one.condition]!
    // Normalise to "low <= high" or "low < high", whichever side the bound is on.
    const upwards = order.less === holds
    const strict = order.strict === holds
    learnBound(state, upwards ? left : right, upwards ? right : left, strict)
  }
}

/** `less`: left below right. `strict`: equal is excluded. */
const ORDERED: Readonly<Partial<Record<Condition, { readonly less: boolean; readonly strict: boolean }>>> = {
  lt: { less: true, strict: true },
  le: { less: true, strict: false },
  gt: { less: false, strict: true },
  ge: { less: false, strict: false },
}

/**
 * A packet pointer lies at or below a bound. So the bytes below the bound can be accessed through every pointer with
 * the same variable part. Source: Linux kernel/bpf/verifier.c, find_good_pkt_pointers.
 */
function learnBound(state: VerifierState, low: Register, high: Register, strict: boolean): void {
  const bounds =
    (high.kind === 'packet-end' && (low.kind === 'packet' || low.kind === 'packet-meta')) ||
    (low.kind === 'packet-meta' && isFrameStart(high))
  if (!bounds || low.number.max > PACKET_OFFSET_MAX || BigInt(low.offset) > PACKET_OFFSET_MAX) return
  const range = low.offset + (strict ? 1 : 0)
  state.rewrite((one) => (one.kind === low.kind && one.id === low.id && one.range < range ? { ...one, range } : one))
}

function isFrameStart(one: Register): boolean {
  return one.kind === 'packet' && one.offset === 0 && isConstant(one.number) && one.number.min === 0n
}
