import type { Bench } from './bench.ts'
import type { DeviceName } from './device/profile.ts'

/**
 * How much a case weighs. `MUST` is what the document demands. `SHOULD` is what it advises, or what every known
 * front-end relies on. `robustness` is what no document demands and a hostile or broken peer needs.
 */
export type Level = 'MUST' | 'SHOULD' | 'robustness'

/** What a back-end has to offer, and what has to be known of it, for a case to apply. Else it is skipped with the reason. */
export interface Needs {
  /** Bit numbers of virtio features. */
  readonly features?: readonly number[]
  /** Bit numbers of vhost-user protocol features. */
  readonly protocol?: readonly number[]
  /** The devices that it is for; `any known` is one that the judge can give work. */
  readonly device?: DeviceName | 'any known'
  /** Virtqueues that the device must have, at least. Default 1. */
  readonly queues?: number
  /** The back-end sends received frames back: receive queues can be tried. */
  readonly echo?: boolean
}

/** One thing that a back-end does or does not. */
export interface Case {
  /** `group/name`, stable between releases. */
  readonly id: string
  /** A fact: what holds of a back-end that conforms. */
  readonly title: string
  /** Section of the vhost-user document, or of VirtIO 1.3. */
  readonly clause: string
  readonly level: Level
  readonly needs?: Needs
  /** Returns when it holds; throws {@link CaseFailure} when it does not, {@link CaseSkip} when it can't be tried. */
  run(bench: Bench): void
}

/** The back-end does not do what the case says. */
export class CaseFailure extends Error {
  override readonly name = 'CaseFailure'
}

/** The case does not apply to this back-end. */
export class CaseSkip extends Error {
  override readonly name = 'CaseSkip'
}

/** @throws CaseFailure */
export function fail(what: string): never {
  throw new CaseFailure(what)
}

/** @throws CaseSkip */
export function skip(reason: string): never {
  throw new CaseSkip(reason)
}

/** @throws CaseFailure with this text, unless it holds */
export function check(holds: boolean, otherwise: string): void {
  if (!holds) fail(otherwise)
}

/** @throws CaseFailure unless both are the same */
export function same(actual: number | bigint | string, expected: number | bigint | string, what: string): void {
  if (actual !== expected) fail(`${what} is ${shown(actual)}, not ${shown(expected)}`)
}

function shown(value: number | bigint | string): string {
  if (typeof value === 'string') return value
  return value > 0xffff ? `0x${value.toString(16)}` : String(value)
}
