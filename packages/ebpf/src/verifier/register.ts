import { constant, type Scalar, scalarCovers } from './scalar.ts'

/**
 * What a register may hold. `none`: nothing yet. `stale`: a packet pointer from before the packet moved.
 * `memory`: bytes of a known size.
 * `packet-end` bounds both packet kinds from above; `packet` at offset 0 bounds `packet-meta`.
 */
export type RegisterKind =
  | 'none'
  | 'stale'
  | 'number'
  | 'context'
  | 'packet'
  | 'packet-meta'
  | 'packet-end'
  | 'stack'
  | 'memory'
  | 'memory-or-null'
  | 'function'
  | 'map'
  | 'map-or-null'
  | 'map-value'
  | 'map-value-or-null'

/** What the verifier knows of one register, or of a value spilled to the stack. Immutable. */
export interface Register {
  readonly kind: RegisterKind
  /** The number itself; of a pointer the variable part of its offset. */
  readonly number: Scalar
  /** The constant part of a pointer's offset, bytes. */
  readonly offset: number
  /** Registers with the same id hold the same number, or pointers with the same variable part; 0: no relation. */
  readonly id: number
  /**
   * Packet pointers: bytes after the variable part that are known to lie before the end. Memory: its size.
   * `map-value-or-null`: 1 if it is known not to be null.
   */
  readonly range: number
  /**
   * Map number of the map kinds, frame number of `stack`, first slot of `function`. Of `memory` it is the map whose
   * values it lies in, or {@link CONTEXT_MEMORY}, {@link SCRATCH}, {@link ANYWHERE}.
   */
  readonly object: number
  /** Memory that must be given back to a helper: which one. 0: none. */
  readonly reference: number
}

const ZERO: Scalar = constant(0n)

function pointer(kind: RegisterKind, object = 0, id = 0): Register {
  return { kind, number: ZERO, offset: 0, id, range: 0, object, reference: 0 }
}

export const NONE: Register = pointer('none')
export const STALE: Register = pointer('stale')
export const CONTEXT: Register = pointer('context')
export const PACKET: Register = pointer('packet')
export const PACKET_META: Register = pointer('packet-meta')
export const PACKET_END: Register = pointer('packet-end')

/** A number. Registers with the same `id`, not 0, hold the same one. */
export function numberRegister(number: Scalar, id = 0): Register {
  return { kind: 'number', number, offset: 0, id, range: 0, object: 0, reference: 0 }
}

/** The end of a frame's stack, as r10 holds it. */
export function stackRegister(frame: number): Register {
  return pointer('stack', frame)
}

/** In the place of a map's number: the memory that the program was given. */
export const CONTEXT_MEMORY = -1

/** The start of memory of `bytes`. */
export function memoryRegister(bytes: number): Register {
  return { ...pointer('memory', CONTEXT_MEMORY), range: bytes }
}

/** In the place of a map's number: memory that a helper passes to a callback, and that can't be written to. */
export const SCRATCH = -2

/** In the place of a map's number: memory that a global function was given, which may lie in any region. */
export const ANYWHERE = -3

/** Memory of `bytes` that a global function is given; with an id it may be null. */
export function givenMemory(bytes: number, id: number): Register {
  return { ...pointer(id === 0 ? 'memory' : 'memory-or-null', ANYWHERE, id), range: bytes }
}

/** A record of a ring buffer, `bytes` long, or null. */
export function recordOrNull(map: number, bytes: number, id: number): Register {
  return { ...pointer('memory-or-null', map, id), range: bytes, reference: id }
}

/** A subprogram, as helpers take it. */
export function functionRegister(target: number): Register {
  return pointer('function', target)
}

/** What a lookup in a map of maps returns. */
export function mapOrNull(map: number, id: number): Register {
  return pointer('map-or-null', map, id)
}

/** Pointers that a comparison with null decides. */
export const NULLABLE: ReadonlyMap<RegisterKind, RegisterKind> = new Map<RegisterKind, RegisterKind>([
  ['map-value-or-null', 'map-value'],
  ['map-or-null', 'map'],
  ['memory-or-null', 'memory'],
])

/** A map itself, as a helper takes it. */
export function mapRegister(map: number): Register {
  return pointer('map', map)
}

/** A value of a map, `offset` bytes into it. */
export function mapValueRegister(map: number, offset: number): Register {
  return { ...pointer('map-value', map), offset }
}

/** What a lookup returns. */
export function mapValueOrNull(map: number, id: number): Register {
  return pointer('map-value-or-null', map, id)
}

/** A pointer that may be compared with the packet's bounds. */
export function isPacket(kind: RegisterKind): boolean {
  return kind === 'packet' || kind === 'packet-meta' || kind === 'packet-end'
}

/** Is it one, of whatever kind? */
export function isPointer(one: Register): boolean {
  return one.kind !== 'none' && one.kind !== 'stale' && one.kind !== 'number'
}

/** The kinds as messages name them. */
export function describeRegister(one: Register): string {
  switch (one.kind) {
    case 'none':
      return 'not initialised'
    case 'stale':
      return 'a packet pointer from before the packet moved: load it from the context again'
    case 'number':
      return 'a number'
    case 'context':
      return 'the context'
    case 'packet':
      return 'a packet pointer'
    case 'packet-meta':
      return 'a metadata pointer'
    case 'packet-end':
      return 'the end of the packet'
    case 'stack':
      return 'a stack pointer'
    case 'memory':
      return 'memory'
    case 'memory-or-null':
      return 'memory or null, not checked yet'
    case 'function':
      return 'a function'
    case 'map-or-null':
      return 'a map or null, not checked yet'
    case 'map':
      return 'a map'
    case 'map-value':
      return 'a map value'
    case 'map-value-or-null':
      return 'a map value or null, not checked yet'
  }
}

/** Pairs ids of two states: a relation among registers must hold in both. */
export type IdPairs = Map<number, number>

/** A state with `known` in a register has been verified; does that speak for `now` as well? */
export function registerCovers(known: Register, now: Register, ids: IdPairs): boolean {
  if (known.kind === 'none') return true
  if (known.kind !== now.kind) return false
  if (known.kind === 'number')
    return scalarCovers(known.number, now.number) && (known.id === 0 || pairsWith(known.id, now.id, ids))
  return (
    known.object === now.object &&
    known.offset === now.offset &&
    (known.kind.startsWith('memory') ? known.range === now.range : known.range <= now.range) &&
    scalarCovers(known.number, now.number) &&
    (known.reference === 0) === (now.reference === 0) &&
    (known.reference === 0 || pairsWith(known.reference, now.reference, ids)) &&
    (known.id === 0) === (now.id === 0) &&
    (known.id === 0 || pairsWith(known.id, now.id, ids))
  )
}

function pairsWith(known: number, now: number, ids: IdPairs): boolean {
  const paired = ids.get(known)
  if (paired !== undefined) return paired === now
  ids.set(known, now)
  return now !== 0
}
