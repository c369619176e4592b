import { disassemble } from '../isa/disassemble.ts'
import { EbpfError } from '../isa/ebpf-error.ts'
import { type Instruction, nextSlot, type Program } from '../isa/instruction.ts'
import type { EbpfMapDefinition } from '../maps/ebpf-map.ts'
import type { GlobalFunction } from '../object/global-function.ts'
import { modifyMemory, readMemory, writeMemory } from './access.ts'
import { checkAlu, checkMove, checkNegate, checkSwap, noteOperands, operandOf } from './arithmetic.ts'
import { checkJump } from './branch.ts'
import { checkCall } from './call.ts'
import { CallFrames, type Globals } from './call-frames.ts'
import { changesPacket, Facts, NOT_TAKEN, REACHED, TAKEN } from './facts.ts'
import { findPacketMovers, globalEntry } from './global-call.ts'
import { liveRegisters } from './liveness.ts'
import { findMixedUse } from './mixed-use.ts'
import { findJoins, PathHistory } from './path-history.ts'
import { Paths } from './paths.ts'
import {
  CONTEXT,
  functionRegister,
  mapRegister,
  mapValueRegister,
  memoryRegister,
  numberRegister,
  type Register,
} from './register.ts'
import { constant, isConstant } from './scalar.ts'
import { initialised, numeric, type Site, type VerifiedType } from './site.ts'
import { VerifierState } from './state.ts'
import { findSubprograms, type Subprogram } from './structure.ts'
import type { KnownBefore, Verified, WatchVerifier } from './verified.ts'

/** Instructions that verification follows, all paths and loop rounds together. Source: Linux BPF_COMPLEXITY_LIMIT_INSNS. */
export const VERIFIED_INSTRUCTIONS_MAX = 1_000_000

/** Instructions from one point where the caller may do something else to the next. */
const STEPS_BETWEEN_YIELDS = 256

const NO_FUNCTIONS: ReadonlySet<number> = new Set()
const NO_GLOBALS: ReadonlyMap<number, GlobalFunction> = new Map()

/**
 * Proves a program safe before it runs: it ends, and touches only the packet between
 * its bounds, the stack, map values and the context's fields. Every path is followed with what is known of each
 * register. Loops are followed round by round, so a loop is accepted if it ends within a million instructions. Source:
 * the rules of Linux kernel/bpf/verifier.c for a privileged program.
 *
 * Functions are followed where they are called, but for global ones: they are verified once, alone, if they are called at
 * all. Source: do_check_subprogs there.
 *
 * A generator: it yields every few hundred instructions, so that the caller decides how long it goes on at once.
 *
 * @throws EbpfError naming the instruction and the reason
 */
export function* verify(
  type: VerifiedType,
  program: Program,
  maps: readonly EbpfMapDefinition[],
  known: KnownBefore = {},
): Generator<void, Verified> {
  const subprograms = yield* findSubprograms(program)
  const live = yield* liveRegisters(program, type.helpers)
  const paths = new Paths(new PathHistory(live, yield* findJoins(program)))
  const declared = known.globals ?? NO_GLOBALS
  const packetMovers = declared.size > 0 ? yield* findPacketMovers(type, program, subprograms) : NO_FUNCTIONS
  return yield* new Verifier(type, program, maps, known, subprograms, paths, { declared, packetMovers }).run()
}

class Verifier implements Site {
  readonly type: VerifiedType
  readonly maps: readonly EbpfMapDefinition[]
  readonly mapCount: number
  readonly facts: Facts
  readonly contents: (map: number) => Uint8Array | undefined
  index = 0
  isGlobal = false
  state: VerifierState = new VerifierState()
  readonly #program: Program
  readonly #subprograms: readonly Subprogram[]
  readonly #paths: Paths
  readonly #frames: CallFrames
  readonly #globals: Globals
  readonly #watch: WatchVerifier | undefined
  #ids = 0
  #count = 0

  constructor(
    type: VerifiedType,
    program: Program,
    maps: readonly EbpfMapDefinition[],
    { contents = () => undefined, watch }: KnownBefore,
    subprograms: readonly Subprogram[],
    paths: Paths,
    globals: Globals,
  ) {
    this.type = type
    this.contents = contents
    this.#program = program
    this.maps = [...maps, ...maps.map((map) => map.inner ?? map)]
    this.mapCount = maps.length
    this.facts = new Facts(program.length)
    this.#subprograms = subprograms
    this.#paths = paths
    this.#globals = globals
    this.#frames = new CallFrames(this, program, paths, globals)
    this.#watch = watch
  }

  newId(): number {
    return ++this.#ids
  }

  fail(reason: string): never {
    throw new EbpfError(this.index, disassemble(this.#program[this.index]!), reason)
  }

  *run(): Generator<void, Verified> {
    for (const start of this.#frames.starts()) {
      if (start === 0) this.#enterProgram()
      else this.#enterGlobal(start)
      yield* this.#followAll(start)
    }
    this.#refuse(this.#frames.tooDeep())
    this.#refuse(yield* findMixedUse(this.#program, this.facts))
    const readOnly = !(yield* changesPacket(this.facts))
    return { facts: this.facts, subprograms: this.#subprograms, instructionCount: this.#count, readOnly }
  }

  #refuse(found: { readonly index: number; readonly reason: string } | undefined): void {
    if (found === undefined) return
    this.index = found.index
    this.fail(found.reason)
  }

  /** Follows all paths from a slot on. */
  *#followAll(start: number): Generator<void, void> {
    this.#paths.begin()
    let next = start
    for (;;) {
      next = this.#follow(next)
      if (this.#count % STEPS_BETWEEN_YIELDS === 0) yield
      if (next >= 0) continue
      const waiting = this.#paths.next()
      if (waiting === undefined) return
      this.state = waiting.state
      next = waiting.index
    }
  }

  #enterProgram(): void {
    const { entry } = this.type
    this.state.registers[1] = entry.kind === 'context' ? CONTEXT : memoryRegister(entry.bytes)
    if (entry.kind === 'memory') this.state.registers[2] = numberRegister(constant(BigInt(entry.bytes)))
  }

  /** What a global function starts with: what it declares. */
  #enterGlobal(start: number): void {
    this.index = start
    this.isGlobal = true
    this.state = new VerifierState()
    for (const [i, register] of globalEntry(this, this.#globals.declared.get(start)!).entries())
      this.state.registers[i + 1] = register
  }

  /** Checks the instruction at a slot. @returns the next slot of this path, or -1: the path has ended */
  #follow(index: number): number {
    this.index = index
    if (!this.#paths.isNew(this, this.#count)) return -1
    if (++this.#count > VERIFIED_INSTRUCTIONS_MAX)
      this.fail(
        `more than ${VERIFIED_INSTRUCTIONS_MAX} instructions to follow: a loop does not end, or has too many rounds`,
      )
    this.facts.flags[index]! |= REACHED
    this.#watch?.(index, this.state)
    return this.#check(this.#program[index]!)
  }

  #check(one: Instruction): number {
    switch (one.kind) {
      case 'alu':
        return this.#set(one.destination, checkAlu(this, one))
      case 'move':
        return this.#set(one.destination, checkMove(this, one))
      case 'negate':
        return this.#set(one.destination, checkNegate(this, one.destination, one.bits))
      case 'swap':
        return this.#set(one.destination, checkSwap(this, one))
      case 'load-immediate': {
        const value = (BigInt(one.high >>> 0) << 32n) | BigInt(one.low >>> 0)
        return this.#set(one.destination, numberRegister(constant(value)))
      }
      case 'load-map':
        return this.#set(one.destination, mapRegister(one.map))
      case 'load-function':
        if (this.#globals.declared.has(one.target)) this.fail('helpers call static functions only, this one is global')
        return this.#set(one.destination, functionRegister(one.target))
      case 'load-map-value':
        return this.#set(one.destination, this.#mapValue(one.map, one.offset))
      case 'load': {
        const base = initialised(this, one.base)
        return this.#set(one.destination, readMemory(this, base, one.offset, one.bytes, one.signed))
      }
      case 'store': {
        const value = one.source < 0 ? operandOf(this, one) : this.#spillable(one.source)
        noteOperands(this, value, value, true)
        writeMemory(this, initialised(this, one.base), one.offset, one.bytes, value)
        return this.#next()
      }
      case 'atomic': {
        numeric(this, one.source, 'an atomic operation')
        if (one.operation === 'cmpxchg') numeric(this, 0, 'cmpxchg')
        const before = modifyMemory(this, initialised(this, one.base), one.offset, one.bytes)
        if (!one.fetch) return this.#next()
        return this.#set(one.operation === 'cmpxchg' ? 0 : one.source, before)
      }
      case 'goto':
        return one.target
      case 'jump':
        return this.#branch(one)
      case 'call': {
        const callback = checkCall(this, one)
        return callback === undefined ? this.#next() : this.#frames.callBack(callback)
      }
      case 'call-local':
        return this.#frames.call(one.target)
      case 'exit':
        return this.#frames.exit()
    }
  }

  #next(): number {
    return nextSlot(this.#program, this.index)
  }

  #set(register: number, value: Register): number {
    this.state.registers[register] = value
    return this.#next()
  }

  /** A register that is stored: its number and the stored one are the same from here on. */
  #spillable(number: number): Register {
    const value = initialised(this, number)
    if (value.kind !== 'number' || value.id !== 0 || isConstant(value.number)) return value
    const named = numberRegister(value.number, this.newId())
    this.state.registers[number] = named
    return named
  }

  #mapValue(map: number, offset: number): Register {
    const { name, type, maxEntries, valueBytes } = this.maps[map]!
    if (type !== 'array' || maxEntries !== 1) this.fail(`map ${name} has no direct value: it is no array of one entry`)
    if (offset < 0 || offset >= valueBytes)
      this.fail(`offset ${offset} is outside of map ${name}'s ${valueBytes} bytes`)
    return mapValueRegister(map, offset)
  }

  /** Follows the jump now if it can happen, and keeps the fall-through for later. */
  #branch(one: Extract<Instruction, { kind: 'jump' }>): number {
    const outcome = checkJump(this, one)
    const taken = outcome(true)
    const notTaken = outcome(false)
    this.facts.flags[this.index]! |= (taken ? TAKEN : 0) | (notTaken ? NOT_TAKEN : 0)
    if (taken === undefined) {
      notTaken?.(this.state)
      return notTaken === undefined ? -1 : this.#next()
    }
    if (notTaken !== undefined) {
      const other = this.state.copy()
      notTaken(other)
      this.#paths.wait(this, other, this.#next())
    }
    taken(this.state)
    return one.target
  }
}
