import { CALL_FRAMES_MAX, nextSlot, type Program } from '../isa/instruction.ts'
import type { GlobalFunction } from '../object/global-function.ts'
import type { Callback } from './call.ts'
import { findTooDeep, type OwnDepth } from './call-depth.ts'
import { checkGlobalCall } from './global-call.ts'
import type { Paths } from './paths.ts'
import { describeRegister, NONE, numberRegister } from './register.ts'
import { UNKNOWN } from './scalar.ts'
import { initialised, numeric, type Site } from './site.ts'
import { Frame, type FrameCallback, stateCovers } from './state.ts'

const TOO_DEEP = `calls are nested more than ${CALL_FRAMES_MAX} deep`

/** r0 to r10. */
const ALL_REGISTERS = 0x7ff

/** What is known of global functions. */
export interface Globals {
  /** Their declarations, by first slots. */
  readonly declared: ReadonlyMap<number, GlobalFunction>
  /** First slots of those that may move the packet. */
  readonly packetMovers: ReadonlySet<number>
}

/**
 * Calls and returns. A function is followed where it is called. One that a helper calls is followed until a further
 * call brings nothing new. Of a global one only the declaration is taken: it is followed alone.
 */
export class CallFrames {
  readonly #site: Site
  readonly #program: Program
  readonly #paths: Paths
  readonly #globals: Globals
  /** Functions that are verified alone, by first slot; the program itself is at 0. */
  readonly #depths = new Map<number, OwnDepth>([[0, { frames: 1, calls: new Map() }]])
  /** Of the one that is followed now. */
  #depth: OwnDepth = this.#depths.get(0)!

  constructor(site: Site, program: Program, paths: Paths, globals: Globals) {
    this.#site = site
    this.#program = program
    this.#paths = paths
    this.#globals = globals
  }

  /** First slots of what is to be followed alone: the program, then each global function, once a call of it was followed. */
  *starts(): Generator<number, void> {
    // Calls of global functions put them into the map while it is walked.
    for (const [start, depth] of this.#depths) {
      this.#depth = depth
      yield start
    }
  }

  /** After all was followed: frames over all calls. @returns the slot of a call too deep, and why */
  tooDeep(): { readonly index: number; readonly reason: string } | undefined {
    const found = findTooDeep(this.#depths, CALL_FRAMES_MAX)
    return found && { index: found.index, reason: found.isRecursive ? 'a global function calls itself' : TOO_DEEP }
  }

  /** @returns the slot that is next, as {@link callBack} and {@link exit} do */
  call(target: number): number {
    const declared = this.#globals.declared.get(target)
    if (declared !== undefined) return this.#callGlobal(target, declared)
    const depth = this.#deeper()
    const frame = new Frame(depth, this.#next())
    for (let number = 1; number <= 5; number++) frame.registers[number] = this.#site.state.registers[number]!
    this.#site.state.frames.push(frame)
    return target
  }

  /** One frame more. @returns its number */
  #deeper(): number {
    const depth = this.#site.state.frames.length
    if (depth >= CALL_FRAMES_MAX) this.#site.fail(TOO_DEEP)
    this.#depth.frames = Math.max(this.#depth.frames, depth + 1)
    return depth
  }

  /** What is known after a call of a global function is what its declaration tells. It is followed later, once. */
  #callGlobal(target: number, declared: GlobalFunction): number {
    const { state, index } = this.#site
    checkGlobalCall(this.#site, declared)
    const frames = state.frames.length
    const { calls } = this.#depth
    if ((calls.get(target)?.frames ?? 0) < frames) calls.set(target, { frames, index })
    if (!this.#depths.has(target)) this.#depths.set(target, { frames: 1, calls: new Map() })
    if (this.#globals.packetMovers.has(target)) state.forgetPacket()
    const { registers } = state
    registers[0] = numberRegister(UNKNOWN)
    for (let i = 1; i <= 5; i++) registers[i] = NONE
    return this.#next()
  }

  /**
   * A helper calls a function any number of times. What is followed from here on holds for all calls: numbers that it may
   * change on the stack are forgotten first. The path after the call waits; the function is followed once, see
   * {@link #exitCallback}.
   */
  callBack(callback: Callback): number {
    return this.#enterCallback(callback, this.#site.index)
  }

  /** @param at slot of the helper's call */
  #enterCallback(callback: Callback, at: number): number {
    const { target, registers } = callback
    const { state } = this.#site
    const depth = this.#deeper()
    state.forgetStackNumbers()
    this.#paths.wait(this.#site, state.copy(), nextSlot(this.#program, at))
    const frame = new Frame(depth, at, undefined, { before: state.copy(), call: callback })
    for (const [i, register] of registers.entries()) frame.registers[i + 1] = register
    state.frames.push(frame)
    return target
  }

  /** The end of a function that a helper calls: if it may have changed what was known at its start, it is followed again. */
  #exitCallback(returnTo: number, { before, call }: FrameCallback): number {
    const { state } = this.#site
    const { number } = numeric(this.#site, 0, 'a function that a helper calls')
    if (number.max > 1n) this.#site.fail('a function that a helper calls may return other than 0 and 1')
    state.frames.pop()
    if (state.references.size !== before.references.size) this.#site.fail('a record of a ring buffer is not given back')
    state.forgetStackNumbers()
    const { registers } = state
    for (let i = 0; i <= 5; i++) registers[i] = before.frame.registers[i]!
    const everything = state.frames.map(() => ALL_REGISTERS)
    if (stateCovers(before, state, everything)) return -1
    return this.#enterCallback(call, returnTo)
  }

  /** @returns -1: the path has ended */
  exit(): number {
    const { state } = this.#site
    const value = state.registers[0]!
    const { callback, returnTo, number } = state.frame
    if (callback !== null) return this.#exitCallback(returnTo, callback)
    if (state.frames.length === 1) {
      if (state.references.size > 0) this.#site.fail('a record of a ring buffer is not given back')
      const returned = initialised(this.#site, 0)
      if (this.#site.isGlobal && returned.kind !== 'number')
        this.#site.fail(`a global function returns ${describeRegister(returned)}; accepted: a number`)
      return -1
    }
    if (value.kind === 'stack' && value.object === number)
      this.#site.fail(`returns ${describeRegister(value)} of its own frame`)
    state.frames.pop()
    const { registers } = state
    registers[0] = value
    for (let i = 1; i <= 5; i++) registers[i] = NONE
    return returnTo
  }

  #next(): number {
    return nextSlot(this.#program, this.#site.index)
  }
}
