import { MAP_LOOKUP_ELEM } from '../helpers/map-helpers.ts'
import { nextSlot, type Program, STACK_BYTES } from '../isa/instruction.ts'
import { ArrayMap } from '../maps/array-map.ts'
import type { ProgramType } from '../program-type.ts'
import type { HookContext, Machine } from '../runtime/machine.ts'
import { REGION_FUNCTIONS, REGION_MAP_OBJECTS, REGION_MAP_VALUES } from '../runtime/memory-region.ts'
import { KEY_MAY_MISS, NOT_TAKEN, REACHED, TAKEN } from '../verifier/facts.ts'
import type { Verified } from '../verifier/verified.ts'
import { aluStatement, condition, low, moveStatement, negateStatement, swapStatement, top } from './expressions.ts'
import { highBit } from './half-liveness.ts'
import {
  type AccessPlace,
  addressOf,
  atomicStatement,
  bytesOf,
  loadStatement,
  storeStatement,
  viewOf,
} from './memory-code.ts'

/** What leads to functions, packet and its bytes: nothing, or `env.` where the text is in parts. */
export type Scope = '' | 'env.'

/** r1 to r5 in halves, as functions and helpers take them. */
export const ARGUMENT_HALVES: readonly string[] = halvesOf([1, 2, 3, 4, 5])

/** Both halves of each register. */
export function halvesOf(registers: readonly number[]): string[] {
  return registers.flatMap((register) => [low(register), top(register)])
}

/** JavaScript for one instruction of a verified program. */
export class InstructionText<C extends HookContext> {
  readonly #type: ProgramType<C>
  readonly #program: Program
  readonly #verified: Verified
  readonly #machine: Machine<C>
  readonly #live: Int32Array
  readonly #scope: Scope

  constructor(
    type: ProgramType<C>,
    program: Program,
    verified: Verified,
    machine: Machine<C>,
    live: Int32Array,
    scope: Scope,
  ) {
    this.#type = type
    this.#program = program
    this.#verified = verified
    this.#machine = machine
    this.#live = live
    this.#scope = scope
  }

  /**
   * Statements of the instruction at a slot; none where no path comes.
   *
   * @param jump the statement that goes on at another slot
   * @param exit the statement that ends the function, with r0
   */
  at(index: number, jump: (to: number) => string, exit: string): string {
    const one = this.#program[index]
    const { facts } = this.#verified
    const flags = facts.flags[index]!
    if (!one || (flags & REACHED) === 0) return ''
    const place: AccessPlace = { region: facts.region[index]!, address: facts.address[index]! }
    switch (one.kind) {
      case 'alu':
        return aluStatement(one, flags, this.#highIsLive(index, one.destination))
      case 'move':
        return moveStatement(one, flags, this.#highIsLive(index, one.destination))
      case 'negate':
        return negateStatement(one.destination, one.bits, this.#highIsLive(index, one.destination))
      case 'swap':
        return swapStatement(one, this.#highIsLive(index, one.destination))
      case 'load-immediate':
        return `r${one.destination}=${one.low};h${one.destination}=${one.high};`
      case 'load-map':
        return `r${one.destination}=0;h${one.destination}=${REGION_MAP_OBJECTS + one.map};`
      case 'load-map-value':
        return `r${one.destination}=${one.offset};h${one.destination}=${REGION_MAP_VALUES + one.map};`
      case 'load-function':
        return `r${one.destination}=${one.target};h${one.destination}=${REGION_FUNCTIONS};`
      case 'load':
        return loadStatement(one, place, this.#highIsLive(index, one.destination), this.#type.entry)
      case 'store':
        return storeStatement(one, place)
      case 'atomic':
        return atomicStatement(one, place)
      case 'goto':
        return `${jump(one.target)};`
      case 'jump': {
        const outcomes = flags & (TAKEN | NOT_TAKEN)
        if (outcomes === NOT_TAKEN) return ''
        return outcomes === TAKEN ? `${jump(one.target)};` : `if(${condition(one, flags)})${jump(one.target)};`
      }
      case 'call':
        return this.#call(one.helper, index, place, exit)
      case 'call-local':
        return `r0=${this.#scope}f${one.target}(context,${ARGUMENT_HALVES.join()},r10+${STACK_BYTES});h0=H[0];`
      case 'exit':
        return exit
    }
  }

  #highIsLive(index: number, register: number): boolean {
    return (this.#live[nextSlot(this.#program, index)]! & highBit(register)) !== 0
  }

  #call(helper: number, index: number, key: AccessPlace, exit: string): string {
    const map = this.#verified.facts.map[index]!
    const signature = this.#type.helpers.get(helper)!
    if (signature === MAP_LOOKUP_ELEM && map >= 0)
      return this.#lookup(map, key, (this.#verified.facts.flags[index]! & KEY_MAY_MISS) !== 0)
    if (signature.leaves) {
      const inMain = index < (this.#verified.subprograms[1]?.start ?? this.#program.length)
      const enter = inMain ? 't.enter(context)' : 'enterFromFunction(machine,t)'
      // What it leaves is what this one would: r0, with its high half in H.
      return `t=tailTarget(machine,h2,r3);if(t){r0=${enter};h0=H[0];${exit}}t=0;r0=h0=-1;`
    }
    const count = signature.arguments.length
    const frame = signature.callbackArguments === undefined ? '' : 'machine.frameEnd=r10;'
    const values = ARGUMENT_HALVES.map((half, i) => (i < 2 * count ? half : '0'))
    return `${frame}r0=help${helper}(${values.join()});h0=H[0];`
  }

  /**
   * A lookup in a known map; in an array it is a comparison, unless the key was proved to be there, and a
   * multiplication.
   */
  #lookup(number: number, key: AccessPlace, mayMiss: boolean): string {
    const map = this.#machine.maps[number]!
    const region = REGION_MAP_VALUES + number
    const address = addressOf(key, 2, 0)
    if (!(map instanceof ArrayMap))
      return `r0=M${number}.find(${bytesOf(key, 2)},${address});if(r0<0)r0=h0=0;else h0=${region};`
    const position = `${map.base === 0 ? '' : `${map.base}+`}Math.imul(r0,${map.stride})`
    if (!mayMiss) return `r0=${viewOf(key, 2)}.getInt32(${address},true);r0=(${position})|0;h0=${region};`
    return `r0=${viewOf(key, 2)}.getInt32(${address},true);if(r0>>>0<${map.maxEntries}){r0=(${position})|0;h0=${region}}else r0=h0=0;`
  }
}
