import { encode, type Instruction } from '@vring/ebpf'

/*
 * Random XDP programs that a verifier has a chance to accept: a packet of at least 64 bytes, the value of a map, and the
 * stack are accessed with known and with bounded offsets; everything else is arithmetic and jumps. All registers end in
 * the map's value, so that nothing that differs stays unseen.
 */

/** Bytes of the one value of map 0. */
export const VALUE_BYTES = 128
/** Bytes that a frame has at least. */
export const FRAME_BYTES = 64

/** Numbers from a seed, the same ones everywhere. Source: Marsaglia, Xorshift RNGs, 2003. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0 || 1
    for (let i = 0; i < 8; i++) this.next()
  }

  next(): number {
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    return this.#state >>> 0
  }

  below(limit: number): number {
    return (this.next() >>> 8) % limit
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }

  pick<T>(all: readonly T[]): T {
    return all[this.below(all.length)]!
  }
}

/** A jump whose target is counted in instructions of the list, not in slots. */
type Piece = Instruction

const ALU = ['add', 'sub', 'mul', 'div', 'or', 'and', 'lsh', 'rsh', 'mod', 'xor', 'arsh', 'sdiv', 'smod'] as const
const CONDITIONS = ['eq', 'gt', 'ge', 'set', 'ne', 'sgt', 'sge', 'lt', 'le', 'slt', 'sle'] as const
const BYTES = [1, 2, 4, 8] as const
const EDGES = [0, 1, -1, 2, 7, 8, 15, 31, 32, 63, 64, 127, 255, 256, 0x7fff, 0xffff, 0x7fffffff, -0x80000000, -8, -256]
/** Registers that hold numbers; r6 packet, r7 map value, r8 context. */
const NUMBERS = [0, 1, 2, 3, 4, 5, 9] as const
const PACKET = 6
const VALUE = 7
const CONTEXT = 8

function move(destination: number, source: number): Instruction {
  return { kind: 'move', destination, source, immediate: 0, bits: 64, fromBits: 64 }
}

function set(destination: number, immediate: number): Instruction {
  return { kind: 'move', destination, source: -1, immediate, bits: 64, fromBits: 64 }
}

function immediateOf(random: Random): number {
  return random.chance(70) ? random.pick(EDGES) : random.next() | 0
}

function alu(random: Random): Piece {
  const bits = random.chance(50) ? 64 : 32
  const operation = random.pick(ALU)
  const destination = random.pick(NUMBERS)
  const source = random.chance(50) ? random.pick(NUMBERS) : -1
  let immediate = source < 0 ? immediateOf(random) : 0
  if (source < 0 && /sh$/.test(operation)) immediate = random.below(bits)
  if (source < 0 && /div|mod/.test(operation) && immediate === 0) immediate = 3
  return { kind: 'alu', operation, bits, destination, source, immediate }
}

function unary(random: Random): Piece {
  const destination = random.pick(NUMBERS)
  const bits = random.chance(50) ? 64 : 32
  switch (random.below(4)) {
    case 0:
      return { kind: 'negate', destination, bits }
    case 1:
      return {
        kind: 'swap',
        destination,
        order: random.pick(['le', 'be', 'swap'] as const),
        bits: random.pick([16, 32, 64] as const),
      }
    case 2:
      return {
        kind: 'move',
        destination,
        source: random.pick(NUMBERS),
        immediate: 0,
        bits,
        fromBits: random.pick([8, 16] as const),
      }
    default:
      return { kind: 'move', destination, source: random.pick(NUMBERS), immediate: 0, bits, fromBits: bits }
  }
}

function place(random: Random, bytes: number): { base: number; offset: number } {
  switch (random.below(3)) {
    case 0:
      return { base: PACKET, offset: random.below(FRAME_BYTES - bytes + 1) }
    case 1:
      return { base: VALUE, offset: random.below(VALUE_BYTES / 2 - bytes + 1) }
    default:
      return { base: 10, offset: -64 + bytes * random.below(64 / bytes) }
  }
}

function access(random: Random): Piece {
  const bytes = random.pick(BYTES)
  const at = place(random, bytes)
  if (random.chance(50))
    return { kind: 'load', destination: random.pick(NUMBERS), ...at, bytes, signed: bytes < 8 && random.chance(20) }
  return random.chance(60)
    ? { kind: 'store', ...at, bytes, source: random.pick(NUMBERS), immediate: 0 }
    : { kind: 'store', ...at, bytes, source: -1, immediate: immediateOf(random) }
}

function atomic(random: Random): Piece {
  const bytes = random.chance(50) ? 8 : 4
  const operation = random.pick(['add', 'or', 'and', 'xor', 'xchg', 'cmpxchg'] as const)
  const fetch = operation === 'xchg' || operation === 'cmpxchg' || random.chance(50)
  const onStack = random.chance(30)
  return {
    kind: 'atomic',
    operation,
    fetch,
    bytes,
    source: random.pick(NUMBERS),
    base: onStack ? 10 : VALUE,
    offset: onStack ? -64 + bytes * random.below(64 / bytes) : bytes * random.below(VALUE_BYTES / 2 / bytes),
  }
}

/** An access at an offset that was bounded: by a mask, a comparison in 32 or 64 bits, a shift, or a remainder. */
function indexed(random: Random, at: number): Piece[] {
  const index = random.pick(NUMBERS)
  const pointer = random.pick(NUMBERS.filter((one) => one !== index))
  const bytes = random.pick(BYTES)
  const limit = random.pick([7, 15, 31])
  const pieces: Piece[] = []
  const bits = random.chance(50) ? 64 : 32
  const bound = random.below(5)
  const number = (operation: 'and' | 'rsh' | 'mod', immediate: number): Piece => ({
    kind: 'alu',
    operation,
    bits,
    destination: index,
    source: -1,
    immediate,
  })
  if (bound === 0) pieces.push(number('and', limit))
  else if (bound === 1) pieces.push(number('rsh', bits - 4))
  else if (bound === 2) pieces.push(number('mod', limit + 1))
  else if (bound === 3)
    pieces.push({ kind: 'move', destination: index, source: index, immediate: 0, bits: 32, fromBits: 32 })
  const after: Piece[] = [
    move(pointer, random.chance(50) ? VALUE : PACKET),
    { kind: 'alu', operation: 'add', bits: 64, destination: pointer, source: index, immediate: 0 },
    random.chance(50)
      ? { kind: 'load', destination: pointer, base: pointer, offset: random.below(16), bytes, signed: false }
      : { kind: 'store', base: pointer, offset: random.below(16), bytes, source: index, immediate: 0 },
    set(pointer, at),
  ]
  // A packet pointer that moved by a variable has to be compared again; here it is the map's value only.
  after[0] = move(pointer, VALUE)
  if (bound >= 3) {
    const skip = at + pieces.length + 1 + after.length
    pieces.push({
      kind: 'jump',
      condition: random.pick(['gt', 'ge', 'sgt'] as const),
      bits,
      destination: index,
      source: -1,
      immediate: limit,
      target: skip - 1,
    })
  }
  return [...pieces, ...after]
}

/** One random program, and what it looks like before its jumps are counted in slots. */
export function randomProgram(random: Random): Uint8Array {
  const list: Piece[] = [
    move(CONTEXT, 1),
    { kind: 'load', destination: PACKET, base: 1, offset: 0, bytes: 4, signed: false },
    { kind: 'load', destination: 3, base: 1, offset: 4, bytes: 4, signed: false },
    move(2, PACKET),
    { kind: 'alu', operation: 'add', bits: 64, destination: 2, source: -1, immediate: FRAME_BYTES },
    { kind: 'jump', condition: 'le', bits: 64, destination: 2, source: 3, immediate: 0, target: 8 },
    set(0, 0),
    { kind: 'exit' },
    { kind: 'load-map-value', destination: VALUE, map: 0, offset: 0 },
  ]
  for (const register of NUMBERS) {
    const bytes = random.pick(BYTES)
    if (random.chance(30)) list.push(set(register, immediateOf(random)))
    else
      list.push({
        kind: 'load',
        destination: register,
        base: PACKET,
        offset: random.below(FRAME_BYTES - 8),
        bytes,
        signed: false,
      })
  }
  for (let i = -64; i < 0; i += 8) list.push({ kind: 'store', base: 10, offset: i, bytes: 8, source: -1, immediate: i })
  const open: { at: number; until: number }[] = []
  const length = 8 + random.below(40)
  const start = list.length
  while (list.length < start + length) {
    const kind = random.below(100)
    if (kind < 40) list.push(alu(random))
    else if (kind < 52) list.push(unary(random))
    else if (kind < 74) list.push(access(random))
    else if (kind < 79) list.push(atomic(random))
    else if (kind < 88) list.push(...indexed(random, list.length))
    else {
      open.push({ at: list.length, until: list.length + 2 + random.below(8) })
      const source = random.chance(50) ? random.pick(NUMBERS) : -1
      list.push({
        kind: 'jump',
        condition: random.pick(CONDITIONS),
        bits: random.chance(50) ? 64 : 32,
        destination: random.pick(NUMBERS),
        source,
        immediate: source < 0 ? immediateOf(random) : 0,
        target: 0,
      })
    }
  }
  const end = list.length
  for (const { at, until } of open) list[at] = { ...list[at]!, target: Math.min(until, end) } as Instruction
  NUMBERS.forEach((register, i) => {
    list.push({ kind: 'store', base: VALUE, offset: VALUE_BYTES / 2 + 8 * i, bytes: 8, source: register, immediate: 0 })
  })
  list.push({ kind: 'alu', operation: 'and', bits: 64, destination: 0, source: -1, immediate: 3 }, { kind: 'exit' })
  return encode(inSlots(list))
}

/** Targets by slot: a 64-bit immediate takes two. */
function inSlots(list: readonly Piece[]): Instruction[] {
  const slots: number[] = []
  let slot = 0
  for (const one of list) {
    slots.push(slot)
    slot += one.kind.startsWith('load-') ? 2 : 1
  }
  return list.map((one) => (one.kind === 'jump' ? { ...one, target: slots[one.target]! } : one))
}
