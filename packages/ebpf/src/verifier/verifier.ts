import { disassemble } from '../isa/disassemble.ts'
import { EbpfError } from '../isa/ebpf-error.ts'
import { CALL_FRAMES_MAX, type Instruction, nextSlot, type Program } from '../isa/instruction.ts'
import type { EbpfMapDefinition } from '../maps/ebpf-map.ts'
import type { GlobalFunction } from '../object/global-function.ts'
import { modifyMemory, readMemory, writeMemory } from './access.ts'
import { checkAlu, checkMove, checkNegate, checkSwap, noteOperands, operandOf } from './arithmetic.ts'
import { checkJump } from './branch.ts'
import { type Callback, checkCall } from './call.ts'
import { findTooDeep, type OwnDepth } from './call-depth.ts'
import { changesPacket, Facts, NOT_TAKEN, REACHED, TAKEN } from './facts.ts'
import { checkGlobalCall, findPacketMovers, globalEntry } from './global-call.ts'
import { liveRegisters } from './liveness.ts'
import { findMixedUse } from './mixed-use.ts'
import { findJoins, PathHistory } from './path-history.ts'
import {
  CONTEXT,
  describeRegister,
  functionRegister,
  mapRegister,
  mapValueRegister,
  memoryRegister,
  NONE,
  numberRegister,
  type Register,
} from './register.ts'
import { constant, isConstant, UNKNOWN } from './scalar.ts'
import { initialised, numeric, type Site, type VerifiedType } from './site.ts'
import { Frame, type FrameCallback, stateCovers, VerifierState } from './state.ts'
import type { StoredState } from './stored-states.ts'
import { findSubprograms, type Subprogram } from './structure.ts'
import type { KnownBefore, Verified, WatchVerifier } from './verified.ts'

/** Instructions that verification follows, all paths and loop rounds together. Source: Linux BPF_COMPLEXITY_LIMIT_INSNS. */
export const VERIFIED_INSTRUCTIONS_MAX = 1_000_000

/** Branches that wait to be followed. Source: Linux BPF_COMPLEXITY_LIMIT_JMP_SEQ. */
const PENDING_PATHS_MAX = 8192

/** Instructions from one point where the caller may do something else to the next. */
const STEPS_BETWEEN_YIELDS = 256

const TOO_DEEP = `calls are nested more than ${CALL_FRAMES_MAX} deep`

const NO_FUNCTIONS: ReadonlySet<number> = new Set()

/** r0 to r10. */
const ALL_REGISTERS = 0x7ff

/** A path that is still to be followed. */
interface Pending {
  readonly state: VerifierState
  readonly index: number
  readonly parent: StoredState | null
}

/**
 * Proves a program safe before it runs: it ends, and touches only the packet between
 * its bounds, the stack, map values and the context's fields. Every path is followed with what is known of each register;
 * loops are followed round by round, so a loop is accepted if it ends within a million instructions.
 * Source: the rules of Linux kernel/bpf/verifier.c for a privileged program.
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
  const history = new PathHistory(live, yield* findJoins(program))
  const movers = known.globals?.size ? yield* findPacketMovers(type, program, subprograms) : NO_FUNCTIONS
  return yield* new Verifier(type, program, maps, known, subprograms, history, movers).run()
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
  readonly #history: PathHistory
  readonly #pending: Pending[] = []
  #parent: StoredState | null = null
  #ids = 0
  #count = 0
  readonly #globals: ReadonlyMap<number, GlobalFunction>
  readonly #watch: WatchVerifier | undefined
  readonly #packetMovers: ReadonlySet<number>
  /** Functions that are verified alone, by first slot; the program itself is at 0. */
  readonly #depths = new Map<number, OwnDepth>()
  /** Of the one that is followed now. */
  #depth: OwnDepth = { frames: 1, calls: new Map() }

  constructor(
    type: VerifiedType,
    program: Program,
    maps: readonly EbpfMapDefinition[],
    { contents = () => undefined, globals = new Map(), watch }: KnownBefore,
    subprograms: readonly Subprogram[],
    history: PathHistory,
    packetMovers: ReadonlySet<number>,
  ) {
    this.type = type
    this.contents = contents
    this.#program = program
    this.maps = [...maps, ...maps.map((map) => map.inner ?? map)]
    this.mapCount = maps.length
    this.facts = new Facts(program.length)
    this.#subprograms = subprograms
    this.#history = history
    this.#globals = globals
    this.#watch = watch
    this.#packetMovers = packetMovers
  }

  newId(): number {
    return ++this.#ids
  }

  fail(reason: string): never {
    throw new EbpfError(this.index, disassemble(this.#program[this.index]!), reason)
  }

  *run(): Generator<void, Verified> {
    this.#enterProgram()
    this.#depths.set(0, this.#depth)
    yield* this.#followAll(0)
    // Calls of global functions put them into the map while it is walked.
    for (const [start, depth] of this.#depths) {
      if (start === 0) continue
      this.#enterGlobal(start, depth)
      yield* this.#followAll(start)
    }
    const tooDeep = findTooDeep(this.#depths, CALL_FRAMES_MAX)
    if (tooDeep !== undefined) {
      this.index = tooDeep.index
      this.fail(tooDeep.isRecursive ? 'a global function calls itself' : TOO_DEEP)
    }
    const mixed = yield* findMixedUse(this.#program, this.facts)
    if (mixed !== undefined) {
      this.index = mixed.index
      this.fail(mixed.reason)
    }
    const readOnly = !(yield* changesPacket(this.facts))
    return { facts: this.facts, subprograms: this.#subprograms, instructionCount: this.#count, readOnly }
  }

  /** Follows all paths from a slot on. */
  *#followAll(start: number): Generator<void, void> {
    let next = start
    for (;;) {
      next = this.#follow(next)
      if (this.#count % STEPS_BETWEEN_YIELDS === 0) yield
      if (next >= 0) continue
      this.#history.finish(this.#parent)
      const pending = this.#pending.pop()
      if (pending === undefined) return
      this.state = pending.state
      this.#parent = pending.parent
      next = pending.index
    }
  }

  #enterProgram(): void {
    const { entry } = this.type
    this.state.registers[1] = entry.kind === 'context' ? CONTEXT : memoryRegister(entry.bytes)
    if (entry.kind === 'memory') this.state.registers[2] = numberRegister(constant(BigInt(entry.bytes)))
  }

  /** What a global function starts with: what it declares. */
  #enterGlobal(start: number, depth: OwnDepth): void {
    this.index = start
    this.isGlobal = true
    this.state = new VerifierState()
    this.#parent = null
    this.#depth = depth
    for (const [i, register] of globalEntry(this, this.#globals.get(start)!).entries())
      this.state.registers[i + 1] = register
  }

  /** Checks the instruction at a slot. @returns the next slot of this path, or -1: the path has ended */
  #follow(index: number): number {
    this.index = index
    if (this.#history.isJoin(index)) {
      const known = this.#history.visit(index, this.state, this.#parent, this.#count)
      if (known === 'safe') return -1
      if (known === 'loop') this.fail('the loop through here never ends: nothing changes from one round to the next')
      this.#parent = known
    }
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
        if (this.#globals.has(one.target)) this.fail('helpers call static functions only, this one is global')
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
        return callback === undefined ? this.#next() : this.#callBack(callback)
      }
      case 'call-local':
        return this.#enter(one.target)
      case 'exit':
        return this.#exit()
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
      this.#wait(other, this.#next())
    }
    taken(this.state)
    return one.target
  }

  /** A path that is followed later. */
  #wait(state: VerifierState, index: number): void {
    if (this.#pending.length === PENDING_PATHS_MAX)
      this.fail(`more than ${PENDING_PATHS_MAX} branches are still to be followed: a loop has too many rounds`)
    this.#history.fork(this.#parent)
    this.#pending.push({ state, index, parent: this.#parent })
  }

  #enter(target: number): number {
    const declared = this.#globals.get(target)
    if (declared !== undefined) return this.#callGlobal(target, declared)
    const depth = this.#deeper()
    const frame = new Frame(depth, this.#next())
    for (let number = 1; number <= 5; number++) frame.registers[number] = this.state.registers[number]!
    this.state.frames.push(frame)
    return target
  }

  /** One frame more. @returns its number */
  #deeper(): number {
    const depth = this.state.frames.length
    if (depth >= CALL_FRAMES_MAX) this.fail(TOO_DEEP)
    this.#depth.frames = Math.max(this.#depth.frames, depth + 1)
    return depth
  }

  /** What is known after a call of a global function is what its declaration tells. It is followed later, once. */
  #callGlobal(target: number, declared: GlobalFunction): number {
    checkGlobalCall(this, declared)
    const frames = this.state.frames.length
    const { calls } = this.#depth
    if ((calls.get(target)?.frames ?? 0) < frames) calls.set(target, { frames, index: this.index })
    if (!this.#depths.has(target)) this.#depths.set(target, { frames: 1, calls: new Map() })
    if (this.#packetMovers.has(target)) this.state.forgetPacket()
    const { registers } = this.state
    registers[0] = numberRegister(UNKNOWN)
    for (let i = 1; i <= 5; i++) registers[i] = NONE
    return this.#next()
  }

  /**
   * A helper calls a function any number of times. What is followed from here on holds for all calls: numbers that it may
   * change on the stack are forgotten first. The path after the call waits; the function is followed once, see
   * {@link #exitCallback}.
   */
  #callBack(callback: Callback): number {
    const { target, registers } = callback
    const depth = this.#deeper()
    this.state.forgetStackNumbers()
    this.#wait(this.state.copy(), this.#next())
    const frame = new Frame(depth, this.index, undefined, { before: this.state.copy(), call: callback })
    for (const [i, register] of registers.entries()) frame.registers[i + 1] = register
    this.state.frames.push(frame)
    return target
  }

  /** The end of a function that a helper calls: if it may have changed what was known at its start, it is followed again. */
  #exitCallback(returnTo: number, { before, call }: FrameCallback): number {
    const { number } = numeric(this, 0, 'a function that a helper calls')
    if (number.max > 1n) this.fail('a function that a helper calls may return other than 0 and 1')
    this.state.frames.pop()
    if (this.state.references.size !== before.references.size) this.fail('a record of a ring buffer is not given back')
    this.state.forgetStackNumbers()
    const { registers } = this.state
    for (let i = 0; i <= 5; i++) registers[i] = before.frame.registers[i]!
    const everything = this.state.frames.map(() => ALL_REGISTERS)
    if (stateCovers(before, this.state, everything)) return -1
    this.index = returnTo
    return this.#callBack(call)
  }

  #exit(): number {
    const value = this.state.registers[0]!
    const { callback, returnTo: calledAt } = this.state.frame
    if (callback !== null) return this.#exitCallback(calledAt, callback)
    if (this.state.frames.length === 1) {
      if (this.state.references.size > 0) this.fail('a record of a ring buffer is not given back')
      const returned = initialised(this, 0)
      if (this.isGlobal && returned.kind !== 'number')
        this.fail(`a global function returns ${describeRegister(returned)}; accepted: a number`)
      return -1
    }
    const { number, returnTo } = this.state.frame
    if (value.kind === 'stack' && value.object === number)
      this.fail(`returns ${describeRegister(value)} of its own frame`)
    this.state.frames.pop()
    const { registers } = this.state
    registers[0] = value
    for (let i = 1; i <= 5; i++) registers[i] = NONE
    return returnTo
  }
}
