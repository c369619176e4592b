import { high } from '../isa/wide.ts'
import type { EbpfMapType } from '../maps/map-types.ts'
import type { HookContext, Machine } from '../runtime/machine.ts'

/**
 * What a helper wants in a register.
 * `map-key` and `map-value`: as many readable bytes as the map of the same call has in a key or value.
 * `memory`: readable bytes, as many as the `size` in the next register says. `memory-or-null` may be null with size 0.
 * `memory-to-write`: writable bytes of that size, which the helper fills or changes.
 * `number`: anything that was written. `optional-number`: or not even that. `constant`: a number that is known.
 * `record`: what a helper with the result `record` gave, to be given back.
 * `callback`: a function of the program that the helper calls, with the next register's pointer: `callback-context`.
 */
export type HelperArgument =
  | 'context'
  | 'map'
  | 'map-key'
  | 'map-value'
  | 'memory'
  | 'memory-or-null'
  | 'memory-to-write'
  | 'constant'
  | 'record'
  | 'callback'
  | 'callback-context'
  | 'size'
  | 'size-or-zero'
  | 'number'
  | 'optional-number'

/**
 * What r0 holds afterwards. `word`: an unsigned 32-bit number. `value`: address of a map value, or null; of a map of maps
 * a map, or null. `record`: memory of as many bytes as the `constant` argument says, in the map of the call, or null.
 */
export type HelperResult = 'number' | 'word' | 'value' | 'record'

/** What a helper gives to a function of the program that it calls. `index`: a 32-bit number. */
export type CallbackArgument = 'index' | 'map' | 'map-key' | 'map-value'

/** A helper as the verifier sees it. */
export interface HelperSignature {
  /** Number that a call names. */
  readonly number: number
  readonly name: string
  /** r1, r2, ...: at most five. */
  readonly arguments: readonly HelperArgument[]
  readonly result: HelperResult
  /** Map types that it works on. */
  readonly maps?: readonly EbpfMapType[]
  /** The packet may move: pointers into it are lost. */
  readonly movesPacket?: boolean
  /** The packet may be written to. */
  readonly writesPacket?: boolean
  /** What a callback finds in r1 and after it; its context comes last. */
  readonly callbackArguments?: readonly CallbackArgument[]
  /** The program goes on elsewhere and does not come back, unless there is nothing to go on with. */
  readonly leaves?: boolean
}

/**
 * A helper at run time: r1 .. r5, low and high half each, as signed 32-bit numbers. Returns the low half of r0 and leaves
 * the high half in {@link high}`[0]`; {@link signedResult} and {@link wordResult} do both. The verifier has checked the
 * arguments: a pointer's high half is its region in `machine.regions`, its low half the byte offset there.
 */
export type HelperFunction = (
  a: number,
  aHigh: number,
  b: number,
  bHigh: number,
  c: number,
  cHigh: number,
  d: number,
  dHigh: number,
  e: number,
  eHigh: number,
) => number

/** A helper of a program type: what the verifier checks, and what runs. */
export interface Helper<C extends HookContext = HookContext> extends HelperSignature {
  /** Called once for each loaded program that calls the helper. */
  create(machine: Machine<C>): HelperFunction
}

/** A small signed number as r0 holds it: sign-extended. */
export function signedResult(value: number): number {
  high[0] = value >> 31
  return value | 0
}

/** An unsigned 32-bit number as r0 holds it. */
export function wordResult(value: number): number {
  high[0] = 0
  return value | 0
}

/** Helpers by the number that calls name. */
export function helperTable<T extends HelperSignature>(...helpers: readonly (readonly T[])[]): ReadonlyMap<number, T> {
  return new Map(helpers.flat().map((one) => [one.number, one]))
}
