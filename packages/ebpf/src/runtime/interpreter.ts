import type { Entry } from '../compiler/compile.ts'
import { createHelpers } from '../helpers/create-helpers.ts'
import type { HelperFunction } from '../helpers/helper.ts'
import { enterFromFunction, tailCalls, tailTarget } from '../helpers/tail-call.ts'
import { alu32, alu64, atomic, compare, compare32, moved, swapped } from '../isa/arithmetic.ts'
import {
  type AluInstruction,
  type AtomicInstruction,
  CALL_FRAMES_MAX,
  FRAME_POINTER,
  type JumpInstruction,
  type LoadInstruction,
  nextSlot,
  type Program,
  REGISTER_COUNT,
  STACK_BYTES,
  type StoreInstruction,
} from '../isa/instruction.ts'
import { high } from '../isa/wide.ts'
import type { ProgramType } from '../program-type.ts'
import { DESTINATION_POINTER, SOURCE_POINTER } from '../verifier/facts.ts'
import type { Verified } from '../verifier/verified.ts'
import { type HookContext, type Machine, PACKET_END_MAX } from './machine.ts'
import {
  REGION_CONTEXT,
  REGION_FUNCTIONS,
  REGION_MAP_OBJECTS,
  REGION_MAP_VALUES,
  REGION_PACKET,
  REGION_STACK,
} from './memory-region.ts'

/** Registers that a callee keeps for its caller: r6 .. r9. */
const KEPT_FIRST = 6
const KEPT_COUNT = 4
/** Words saved by a call: the kept registers in halves, and the slot to return to. */
const SAVED_WORDS = 2 * KEPT_COUNT + 1

/**
 * Runs a verified program instruction by instruction: for places where code can't be generated, and as the plain
 * statement of what each instruction does. A compiled program gives the same results.
 */
export function interpret<C extends HookContext>(
  type: ProgramType<C>,
  program: Program,
  verified: Verified,
  machine: Machine<C>,
): Entry<C> {
  const make = (): Interpreter<C> => new Interpreter(type, program, verified, machine)
  const interpreter = make()
  return {
    run: (context) => {
      tailCalls[0] = 0
      return interpreter.run(context)
    },
    // The program may be under way already, further up the chain: registers of its own.
    enter: (context) => make().run(context),
  }
}

/** One run of a program at a time, instruction by instruction. */
export class Interpreter<C extends HookContext> {
  private readonly entry: ProgramType['entry']
  private readonly type: ProgramType<C>
  private readonly program: Program
  private readonly next: Int32Array
  private readonly flags: Uint16Array
  private readonly machine: Machine<C>
  private readonly helpers: ReadonlyMap<number, HelperFunction>
  private readonly low = new Int32Array(REGISTER_COUNT)
  private readonly high = new Int32Array(REGISTER_COUNT)
  private readonly saved = new Int32Array(CALL_FRAMES_MAX * SAVED_WORDS)
  private depth = 0
  private bound: Uint8Array | null = null

  constructor(type: ProgramType<C>, program: Program, verified: Verified, machine: Machine<C>) {
    this.entry = type.entry
    this.program = program
    this.flags = verified.facts.flags
    this.machine = machine
    this.helpers = createHelpers(type, program, machine)
    this.next = Int32Array.from(program, (_, index) => nextSlot(program, index))
    this.type = type
  }

  run(context: C): number {
    if (!this.begin(context)) {
      high[0] = 0
      return 0
    }
    for (let index = 0; index >= 0; ) index = this.step(index)
    high[0] = this.high[0]!
    return this.low[0]!
  }

  /** Sets registers and memory up for a run from slot 0 on. @returns false if the program is not run on such memory */
  begin(context: C): boolean {
    if (context.dataEnd > PACKET_END_MAX) return false
    if (context.u8 !== this.bound) {
      this.machine.bindPacket(context.u8)
      this.bound = context.u8
    }
    this.machine.context = context
    this.machine.invoke = (target, ...halves) => this.invoke(target, halves)
    this.depth = 0
    if (this.entry.kind === 'context') this.set(1, 0, REGION_CONTEXT)
    else {
      this.set(1, context.data, REGION_PACKET)
      this.set(2, this.entry.bytes, 0)
    }
    this.set(FRAME_POINTER, STACK_BYTES, REGION_STACK)
    return true
  }

  /** Both halves, unsigned. */
  register(number: number): { readonly low: number; readonly high: number } {
    return { low: this.low[number]! >>> 0, high: this.high[number]! >>> 0 }
  }

  /** Frames of the call chain. */
  get frames(): number {
    return this.depth + 1
  }

  private set(register: number, low: number, top: number): void {
    this.low[register] = low
    this.high[register] = top
  }

  /** Executes one instruction. @returns the next slot, or -1: the program is done */
  step(index: number): number {
    const one = this.program[index]!
    switch (one.kind) {
      case 'alu':
        this.alu(one, this.flags[index]!)
        break
      case 'move': {
        const low = one.source < 0 ? one.immediate : this.low[one.source]!
        const top = one.source < 0 ? one.immediate >> 31 : this.high[one.source]!
        this.set(one.destination, moved(one, low, top), high[0]!)
        break
      }
      case 'negate': {
        const { destination } = one
        const low = alu64('sub', 0, 0, this.low[destination]!, this.high[destination]!)
        this.set(destination, low, one.bits === 64 ? high[0]! : 0)
        break
      }
      case 'swap':
        this.set(one.destination, swapped(one, this.low[one.destination]!, this.high[one.destination]!), high[0]!)
        break
      case 'load-immediate':
        this.set(one.destination, one.low, one.high)
        break
      case 'load-map':
        this.set(one.destination, 0, REGION_MAP_OBJECTS + one.map)
        break
      case 'load-map-value':
        this.set(one.destination, one.offset, REGION_MAP_VALUES + one.map)
        break
      case 'load-function':
        this.set(one.destination, one.target, REGION_FUNCTIONS)
        break
      case 'load':
        this.load(one)
        break
      case 'store':
        this.store(one)
        break
      case 'atomic':
        this.atomic(one)
        break
      case 'jump':
        return this.holds(one) ? one.target : this.next[index]!
      case 'goto':
        return one.target
      case 'call':
        if (this.type.helpers.get(one.helper)!.leaves && this.leaveFor()) return this.depth === 0 ? -1 : this.leave()
        this.call(this.helpers.get(one.helper)!)
        break
      case 'call-local':
        return this.enter(one.target, this.next[index]!)
      case 'exit':
        return this.depth === 0 ? -1 : this.leave()
    }
    return this.next[index]!
  }

  private alu(one: AluInstruction, flags: number): void {
    const { destination, source } = one
    const a = this.low[destination]!
    const aHigh = this.high[destination]!
    const b = source < 0 ? one.immediate : this.low[source]!
    const bHigh = source < 0 ? one.immediate >> 31 : this.high[source]!
    if (one.bits === 32) {
      this.set(destination, alu32(one.operation, a, b), 0)
      return
    }
    const pointers = flags & (DESTINATION_POINTER | SOURCE_POINTER)
    const low = alu64(one.operation, a, aHigh, b, bHigh)
    // A pointer moves by its low half; the high half stays its region. A difference of pointers is a number.
    if (pointers === 0) this.set(destination, low, high[0]!)
    else if (pointers === DESTINATION_POINTER) this.set(destination, low, aHigh)
    else if (pointers === SOURCE_POINTER) this.set(destination, low, bHigh)
    else this.set(destination, low, low >> 31)
  }

  private holds(one: JumpInstruction): boolean {
    const a = this.low[one.destination]!
    const b = one.source < 0 ? one.immediate : this.low[one.source]!
    if (one.bits === 32) return compare32(one.condition, a, b)
    const bHigh = one.source < 0 ? one.immediate >> 31 : this.high[one.source]!
    return compare(one.condition, a, this.high[one.destination]!, b, bHigh)
  }

  private load(one: LoadInstruction): void {
    const region = this.high[one.base]!
    const { destination } = one
    if (region === REGION_CONTEXT) {
      this.loadContext(destination, this.low[one.base]! + one.offset)
      return
    }
    const at = (this.low[one.base]! + one.offset) >>> 0
    const { view } = this.machine.regions[region]!
    if (one.bytes === 8) {
      this.set(destination, view.getInt32(at, true), view.getInt32(at + 4, true))
    } else if (one.signed) {
      const value =
        one.bytes === 1 ? view.getInt8(at) : one.bytes === 2 ? view.getInt16(at, true) : view.getInt32(at, true)
      this.set(destination, value, value >> 31)
    } else {
      const value =
        one.bytes === 1 ? view.getUint8(at) : one.bytes === 2 ? view.getUint16(at, true) : view.getInt32(at, true)
      this.set(destination, value, 0)
    }
  }

  private loadContext(destination: number, offset: number): void {
    if (this.entry.kind !== 'context') return
    const { property, role } = this.entry.fields.find((one) => one.offset === offset)!
    const value = (this.machine.context as unknown as Readonly<Record<string, number>>)[property]!
    this.set(destination, value, role === 'number' ? 0 : REGION_PACKET)
  }

  private store(one: StoreInstruction): void {
    const at = (this.low[one.base]! + one.offset) >>> 0
    const { view } = this.machine.regions[this.high[one.base]!]!
    const low = one.source < 0 ? one.immediate : this.low[one.source]!
    const top = one.source < 0 ? one.immediate >> 31 : this.high[one.source]!
    if (one.bytes === 1) view.setInt8(at, low)
    else if (one.bytes === 2) view.setInt16(at, low, true)
    else view.setInt32(at, low, true)
    if (one.bytes === 8) view.setInt32(at + 4, top, true)
  }

  private atomic(one: AtomicInstruction): void {
    const at = (this.low[one.base]! + one.offset) >>> 0
    const { view } = this.machine.regions[this.high[one.base]!]!
    const isWide = one.bytes === 8
    const old = view.getInt32(at, true)
    const oldHigh = isWide ? view.getInt32(at + 4, true) : 0
    const operandHigh = isWide ? this.high[one.source]! : 0
    const expectedHigh = isWide ? this.high[0]! : 0
    view.setInt32(
      at,
      atomic(one.operation, old, oldHigh, this.low[one.source]!, operandHigh, this.low[0]!, expectedHigh),
      true,
    )
    if (isWide) view.setInt32(at + 4, high[0]!, true)
    if (one.fetch) this.set(one.operation === 'cmpxchg' ? 0 : one.source, old, oldHigh)
  }

  /** Goes on with another program, if there is one: r0 is what it leaves. */
  private leaveFor(): boolean {
    const target = tailTarget(this.machine, this.high[2]!, this.low[3]!)
    if (target === undefined) return false
    const { invoke } = this.machine
    const result =
      this.depth === 0 ? target.enter(this.machine.context as never) : enterFromFunction(this.machine, target)
    this.set(0, result, high[0]!)
    // The target may have been this program, with registers of its own.
    this.machine.invoke = invoke
    return true
  }

  /** A helper calls a function of the program: one frame more, until it exits. */
  private invoke(target: number, halves: readonly number[]): number {
    let index = this.enter(target, -1)
    for (let register = 1; register <= 4; register++)
      this.set(register, halves[2 * register - 2]!, halves[2 * register - 1]!)
    while (index >= 0) index = this.step(index)
    high[0] = this.high[0]!
    return this.low[0]!
  }

  private call(helper: HelperFunction): void {
    const low = this.low
    const top = this.high
    const result = helper(low[1]!, top[1]!, low[2]!, top[2]!, low[3]!, top[3]!, low[4]!, top[4]!, low[5]!, top[5]!)
    this.set(0, result, high[0]!)
  }

  private enter(target: number, returnTo: number): number {
    const at = this.depth++ * SAVED_WORDS
    for (let i = 0; i < KEPT_COUNT; i++) {
      this.saved[at + 2 * i] = this.low[KEPT_FIRST + i]!
      this.saved[at + 2 * i + 1] = this.high[KEPT_FIRST + i]!
    }
    this.saved[at + SAVED_WORDS - 1] = returnTo
    this.low[FRAME_POINTER] = (this.depth + 1) * STACK_BYTES
    return target
  }

  private leave(): number {
    const at = --this.depth * SAVED_WORDS
    for (let i = 0; i < KEPT_COUNT; i++) this.set(KEPT_FIRST + i, this.saved[at + 2 * i]!, this.saved[at + 2 * i + 1]!)
    this.low[FRAME_POINTER] = (this.depth + 1) * STACK_BYTES
    return this.saved[at + SAVED_WORDS - 1]!
  }
}
