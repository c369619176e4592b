import type { HelperSignature } from '../helpers/helper.ts'
import type { EbpfMapDefinition } from '../maps/ebpf-map.ts'
import type { ProgramEntry } from '../program-type.ts'
import type { Facts } from './facts.ts'
import { describeRegister, type Register } from './register.ts'
import type { VerifierState } from './state.ts'

/** What the verifier has to know of a program type. */
export interface VerifiedType {
  readonly name: string
  readonly entry: ProgramEntry
  readonly helpers: ReadonlyMap<number, HelperSignature>
}

/** Where the verifier stands: what the checks of one instruction work on. */
export interface Site {
  readonly type: VerifiedType
  /** The program's maps, then, from `mapCount` on, for each of them what it holds if it is a map of maps. */
  readonly maps: readonly EbpfMapDefinition[]
  readonly mapCount: number
  readonly facts: Facts
  /** A global function is followed, or what it calls: at which depth its frames will be is not known. */
  readonly isGlobal: boolean
  /** Slot of the instruction that is being checked. */
  readonly index: number
  /** State of the current path; checks change it in place. */
  readonly state: VerifierState
  /** What a map holds whose values can't change; undefined where they may. */
  contents(map: number): Uint8Array | undefined
  /** An id that no register has yet. */
  newId(): number
  /** Refuses the program at this instruction. */
  fail(reason: string): never
}

/** A register that was written before. */
export function initialised(site: Site, number: number): Register {
  const register = site.state.registers[number]!
  if (register.kind === 'none' || register.kind === 'stale') site.fail(`r${number} is ${describeRegister(register)}`)
  return register
}

/** A register that holds a number. */
export function numeric(site: Site, number: number, use: string): Register {
  const register = initialised(site, number)
  if (register.kind !== 'number') site.fail(`${use} takes a number, r${number} is ${describeRegister(register)}`)
  return register
}
