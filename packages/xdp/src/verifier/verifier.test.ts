import { describe, expect, test } from 'vitest'
import {
  EbpfError,
  encode,
  type Instruction,
  loadEbpf,
  type ObjectMap,
  XDP_ABORTED,
  XDP_DROP,
  XDP_PASS,
  XdpContext,
} from '../index.ts'

const MAPS: ObjectMap[] = [
  { name: 'array', type: 'array', keyBytes: 4, valueBytes: 16, maxEntries: 4 },
  { name: 'devices', type: 'devmap', keyBytes: 4, valueBytes: 4, maxEntries: 4 },
  { name: 'constants', type: 'array', keyBytes: 4, valueBytes: 8, maxEntries: 1, readOnly: true },
  { name: 'sockets', type: 'xskmap', keyBytes: 4, valueBytes: 4, maxEntries: 4 },
]

const mov = (destination: number, immediate: number): Instruction => ({
  kind: 'move',
  destination,
  source: -1,
  immediate,
  bits: 64,
  fromBits: 64,
})
const copy = (destination: number, source: number): Instruction => ({
  kind: 'move',
  destination,
  source,
  immediate: 0,
  bits: 64,
  fromBits: 64,
})
const addImmediate = (destination: number, immediate: number): Instruction => ({
  kind: 'alu',
  operation: 'add',
  bits: 64,
  destination,
  source: -1,
  immediate,
})
const add = (destination: number, source: number): Instruction => ({
  kind: 'alu',
  operation: 'add',
  bits: 64,
  destination,
  source,
  immediate: 0,
})
const load = (destination: number, base: number, offset: number, bytes: 1 | 2 | 4 | 8 = 4): Instruction => ({
  kind: 'load',
  destination,
  base,
  offset,
  bytes,
  signed: false,
})
const store = (base: number, offset: number, source: number, bytes: 1 | 2 | 4 | 8 = 8): Instruction => ({
  kind: 'store',
  base,
  offset,
  bytes,
  source,
  immediate: 0,
})
const put = (base: number, offset: number, immediate: number, bytes: 1 | 2 | 4 | 8 = 8): Instruction => ({
  kind: 'store',
  base,
  offset,
  bytes,
  source: -1,
  immediate,
})
const jump = (
  condition: 'eq' | 'ne' | 'gt' | 'ge' | 'lt' | 'le' | 'sgt',
  destination: number,
  source: number,
  target: number,
): Instruction => ({ kind: 'jump', condition, bits: 64, destination, source, immediate: 0, target })
const jumpImmediate = (
  condition: 'eq' | 'ne' | 'gt' | 'lt' | 'sgt',
  destination: number,
  immediate: number,
  target: number,
): Instruction => ({ kind: 'jump', condition, bits: 64, destination, source: -1, immediate, target })
const map = (destination: number, number: number): Instruction => ({ kind: 'load-map', destination, map: number })
const call = (helper: number): Instruction => ({ kind: 'call', helper })
const exit: Instruction = { kind: 'exit' }
/** r2 = data, r3 = data_end */
const packet = [load(2, 1, 0), load(3, 1, 4)]
/** r0 = lookup(map, key 0) */
const lookup = (number: number, key = -4): Instruction[] => [
  put(10, key, 0, 4),
  copy(2, 10),
  addImmediate(2, key),
  map(1, number),
  call(1),
]

function run(instructions: readonly Instruction[], frame = new Uint8Array(64)): number {
  const code = encode(instructions)
  const verdicts = (['compile', 'interpret'] as const).map((engine) => {
    const context = new XdpContext()
    context.setFrame(frame.slice(), 0, frame.length)
    return loadEbpf({ name: 'test', code, maps: MAPS }, { engine }).run(context)
  })
  expect(verdicts[0]).toBe(verdicts[1])
  return verdicts[0]!
}

function refusal(instructions: readonly Instruction[]): EbpfError {
  try {
    run(instructions)
  } catch (error) {
    if (error instanceof EbpfError) return error
    throw error
  }
  throw new Error('the program was accepted')
}

describe('accepted', () => {
  test('packet bytes behind a comparison with the end, on either side of it', () => {
    const frame = new Uint8Array(64)
    frame[13] = XDP_PASS
    expect(
      run(
        [...packet, copy(4, 2), addImmediate(4, 14), jump('gt', 4, 3, 7), load(0, 2, 13, 1), exit, mov(0, 1), exit],
        frame,
      ),
    ).toBe(XDP_PASS)
    expect(
      run(
        [...packet, copy(4, 2), addImmediate(4, 14), jump('lt', 3, 4, 7), load(0, 2, 13, 1), exit, mov(0, 1), exit],
        frame,
      ),
    ).toBe(XDP_PASS)
    expect(
      run(
        [...packet, copy(4, 2), addImmediate(4, 14), jump('le', 4, 3, 7), mov(0, 1), exit, load(0, 2, 13, 1), exit],
        frame,
      ),
    ).toBe(XDP_PASS)
    // Strictly below the end: the byte that the pointer is at is there as well.
    expect(
      run(
        [...packet, copy(4, 2), addImmediate(4, 13), jump('lt', 4, 3, 7), mov(0, 1), exit, load(0, 2, 13, 1), exit],
        frame,
      ),
    ).toBe(XDP_PASS)
    expect(
      run(
        [...packet, copy(4, 2), addImmediate(4, 14), jump('gt', 4, 3, 7), load(0, 2, 13, 1), exit, mov(0, 1), exit],
        new Uint8Array(10),
      ),
    ).toBe(XDP_DROP)
  })

  test('a variable packet offset that is bounded and compared', () => {
    const frame = new Uint8Array(64)
    frame[0] = 20
    frame[20] = XDP_PASS
    const program = [
      ...packet,
      copy(4, 2),
      addImmediate(4, 1),
      jump('gt', 4, 3, 12),
      load(5, 2, 0, 1),
      add(2, 5),
      copy(4, 2),
      addImmediate(4, 1),
      jump('gt', 4, 3, 12),
      load(0, 2, 0, 1),
      exit,
      mov(0, 1),
      exit,
    ]
    expect(run(program, frame)).toBe(XDP_PASS)
  })

  test('a map value behind a null check, also through a copy of the pointer', () => {
    expect(
      run([
        ...lookup(0),
        copy(6, 0),
        jumpImmediate('eq', 0, 0, 11),
        put(6, 8, 2),
        load(0, 6, 8, 8),
        exit,
        mov(0, 1),
        exit,
      ]),
    ).toBe(XDP_PASS)
  })

  test('a comparison of a number holds for its copies', () => {
    // r6 = random; r7 = r6; if r6 > 15 exit; array value [r7]
    const program = [
      call(7),
      copy(6, 0),
      copy(7, 6),
      ...lookup(0),
      jumpImmediate('ne', 0, 0, 12),
      mov(0, 2),
      exit,
      jumpImmediate('gt', 6, 15, 16),
      add(0, 7),
      load(0, 0, 0, 1),
      exit,
      mov(0, 0),
      exit,
    ]
    expect(run(program)).toBe(0)
  })

  test('a loop that ends: a counter, and one bounded by the end of the packet', () => {
    // r0 = 0; do { r0 += 1 } while (r0 < 1000); exit with 2
    expect(run([mov(0, 0), addImmediate(0, 1), jumpImmediate('lt', 0, 1000, 1), mov(0, 2), exit])).toBe(XDP_PASS)
  })

  test('subprograms with stacks of their own, and pointers handed down', () => {
    const program: Instruction[] = [
      put(10, -8, 40),
      copy(1, 10),
      addImmediate(1, -8),
      mov(6, 1),
      { kind: 'call-local', target: 7 },
      add(0, 6),
      exit,
      // *(u64 *)r1 + 2 - 41 through the callee's own stack
      load(2, 1, 0, 8),
      store(10, -8, 2),
      load(0, 10, -8, 8),
      mov(6, 7),
      addImmediate(0, -39),
      exit,
    ]
    expect(run(program)).toBe(XDP_PASS)
  })

  test('a jump into the middle of a loop, which labelled blocks can not express', () => {
    // goto middle; head: r0 += 1; middle: r0 += 2; if r0 < 100 goto head
    const program: Instruction[] = [
      call(7),
      mov(6, 0),
      jumpImmediate('gt', 0, 5, 4),
      addImmediate(6, 1),
      addImmediate(6, 2),
      jumpImmediate('lt', 6, 100, 3),
      mov(0, 2),
      exit,
    ]
    expect(run(program)).toBe(XDP_PASS)
  })

  test('one load through pointers to different memory on different paths', () => {
    const program: Instruction[] = [
      put(10, -8, 2),
      ...lookup(0, -12),
      jumpImmediate('eq', 0, 0, 11),
      put(0, 0, 2),
      copy(6, 0),
      { kind: 'goto', target: 13 },
      copy(6, 10),
      addImmediate(6, -8),
      load(0, 6, 0, 8),
      exit,
    ]
    expect(run(program)).toBe(XDP_PASS)
  })
})

describe('refused', () => {
  test.each<[string, Instruction[], number, RegExp]>([
    ['a register that was never written', [copy(0, 5), exit], 0, /r5 is not initialised/],
    ['an exit without a verdict', [mov(1, 0), exit], 1, /r0 is not initialised/],
    ['a pointer as verdict', [copy(0, 10), exit], 1, /takes a number, r0 is a stack pointer/],
    ['an instruction that nothing reaches', [mov(0, 0), exit, mov(0, 1), exit], 2, /never be reached/],
    ['running off the end', [mov(0, 0)], 0, /runs off the end/],
    ['a packet access that was not compared', [...packet, load(0, 2, 0, 1), exit], 2, /not compared with the end/],
    [
      'a packet access beyond what was compared',
      [...packet, copy(4, 2), addImmediate(4, 14), jump('gt', 4, 3, 6), load(0, 2, 14, 1), mov(0, 0), exit],
      5,
      /offset 14, 1 bytes/,
    ],
    [
      'a packet access on the wrong side',
      [...packet, copy(4, 2), addImmediate(4, 14), jump('gt', 4, 3, 6), mov(0, 0), load(0, 2, 0, 1), exit],
      6,
      /0 bytes are/,
    ],
    [
      'a packet access in front of the frame',
      [...packet, copy(4, 2), addImmediate(4, 14), jump('gt', 4, 3, 6), load(0, 2, -1, 1), mov(0, 0), exit],
      5,
      /offset -1/,
    ],
    [
      'a packet access that only one of two paths compared',
      [...packet, copy(4, 2), addImmediate(4, 14), jump('le', 4, 3, 6), mov(0, 0), load(0, 2, 0, 1), exit],
      6,
      /0 bytes are/,
    ],
    ['reading at the end of the packet', [...packet, load(0, 3, 0, 1), exit], 2, /through the end of the packet/],
    [
      'arithmetic on the end of the packet',
      [...packet, addImmediate(3, 1), mov(0, 0), exit],
      2,
      /arithmetic on the end of the packet/,
    ],
    ['an unbounded packet offset', [load(6, 1, 0), call(5), add(6, 0), mov(0, 0), exit], 2, /not bounded/],
    ['a stack access below the frame', [put(10, -520, 0), mov(0, 0), exit], 0, /stack access at offset -520/],
    ['a stack access above the frame', [put(10, -4, 0), mov(0, 0), exit], 0, /stack access at offset -4, 8 bytes/],
    ['an uninitialised stack byte', [put(10, -8, 0, 4), load(0, 10, -8, 8), exit], 1, /offset -4 is not initialised/],
    ['part of a pointer on the stack', [store(10, -8, 1), load(0, 10, -8, 4), exit], 1, /part of a pointer/],
    ['a pointer stored in part', [store(10, -8, 1, 4), mov(0, 0), exit], 0, /8 aligned bytes/],
    ['a map value without a null check', [...lookup(0), load(0, 0, 0, 8), exit], 6, /not checked yet/],
    [
      'a map value where it is null',
      [...lookup(0), jumpImmediate('ne', 0, 0, 9), load(0, 0, 0, 8), exit, mov(0, 0), exit],
      7,
      /through a number/,
    ],
    [
      'a map value beyond its end',
      [...lookup(0), jumpImmediate('eq', 0, 0, 8), load(0, 0, 9, 8), mov(0, 0), exit],
      7,
      /the value has 16/,
    ],
    [
      'a pointer put into a map value',
      [...lookup(0), jumpImmediate('eq', 0, 0, 8), store(0, 0, 10), mov(0, 0), exit],
      7,
      /would leak/,
    ],
    [
      'a write to a read-only map',
      [...lookup(2), jumpImmediate('eq', 0, 0, 8), put(0, 0, 1), mov(0, 0), exit],
      7,
      /read-only/,
    ],
    [
      'a write to a socket map',
      [...lookup(3), jumpImmediate('eq', 0, 0, 8), put(0, 0, 1, 4), mov(0, 0), exit],
      7,
      /read-only/,
    ],
    ['a lookup in a device map', [...lookup(1), mov(0, 0), exit], 5, /does not work on map devices/],
    ['a write to the context', [put(1, 0, 0, 4), mov(0, 0), exit], 0, /context is read-only/],
    ['a context field that is not there', [load(0, 1, 20), exit], 0, /no field of 4 bytes at offset 20/],
    ['half a context field', [load(0, 1, 0, 2), exit], 0, /no field of 2 bytes/],
    ['a helper that does not exist', [call(9999), exit], 0, /helper 9999 does not exist/],
    [
      'a helper with the wrong argument',
      [mov(1, 0), mov(2, 0), call(44), exit],
      2,
      /takes the context, r1 is a number/,
    ],
    ['registers that a call has overwritten', [call(7), copy(0, 1), exit], 1, /r1 is not initialised/],
    [
      'a packet pointer from before the packet moved',
      [copy(6, 1), load(7, 1, 0), mov(2, 4), call(44), copy(0, 7), exit],
      4,
      /before the packet moved/,
    ],
    [
      '32-bit arithmetic on a pointer',
      [{ kind: 'alu', operation: 'add', bits: 32, destination: 1, source: -1, immediate: 4 }, mov(0, 0), exit],
      0,
      /32-bit arithmetic on the context/,
    ],
    [
      'multiplying a pointer',
      [{ kind: 'alu', operation: 'mul', bits: 64, destination: 1, source: -1, immediate: 4 }, mov(0, 0), exit],
      0,
      /accepted: adding and subtracting/,
    ],
    [
      'comparing a pointer with a number',
      [jumpImmediate('gt', 10, 5, 1), mov(0, 0), exit],
      0,
      /accepted: == and != with 0/,
    ],
    ['a loop where nothing changes', [call(7), jumpImmediate('ne', 0, 7, 1), exit], 1, /never ends/],
    [
      'a loop of more rounds than can be followed',
      [mov(0, 0), addImmediate(0, 1), jumpImmediate('lt', 0, 2_000_000, 1), exit],
      -1,
      /more than 1000000 instructions/,
    ],
    [
      'endless recursion',
      [{ kind: 'call-local', target: 2 }, exit, { kind: 'call-local', target: 2 }, exit],
      2,
      /nested more than 8 deep/,
    ],
    [
      'a jump from one subprogram into another',
      [{ kind: 'call-local', target: 3 }, jumpImmediate('eq', 0, 0, 4), exit, mov(0, 0), exit],
      1,
      /leaves its subprogram/,
    ],
    [
      'an atomic access to the packet',
      [
        ...packet,
        copy(4, 2),
        addImmediate(4, 8),
        jump('gt', 4, 3, 7),
        mov(5, 1),
        { kind: 'atomic', operation: 'add', fetch: false, base: 2, offset: 0, bytes: 8, source: 5 },
        mov(0, 0),
        exit,
      ],
      6,
      /accepted: the stack, a map value/,
    ],
    [
      'an atomic access that is not aligned',
      [
        put(10, -16, 0),
        put(10, -8, 0),
        mov(5, 1),
        { kind: 'atomic', operation: 'add', fetch: false, base: 10, offset: -12, bytes: 8, source: 5 },
        mov(0, 0),
        exit,
      ],
      3,
      /not aligned/,
    ],
    [
      'an unbounded size for a helper',
      [call(5), copy(2, 0), put(10, -8, 0), copy(1, 10), addImmediate(1, -8), call(6), exit],
      5,
      /not bounded/,
    ],
    [
      'code used on pointers and on numbers',
      [
        call(7),
        jumpImmediate('eq', 0, 0, 4),
        copy(6, 10),
        { kind: 'goto', target: 5 },
        mov(6, 1),
        addImmediate(6, 8),
        mov(0, 0),
        exit,
      ],
      5,
      /on one path and on numbers on another/,
    ],
  ])('%s', (_, program, instruction, reason) => {
    const error = refusal(program)
    expect(error.message).toMatch(reason)
    if (instruction >= 0) expect(error.instruction).toBe(instruction)
  })

  test('the message names the instruction as a disassembler writes it, and the code is stable', () => {
    const error = refusal([...packet, load(0, 2, 0, 1), exit])
    expect(error.message).toBe(
      'instruction 2 (r0 = *(u8 *)(r2 + 0)): packet access at offset 0, 1 bytes, was not compared with the end of the packet: 0 bytes are',
    )
    expect(error.code).toBe('ERR_INVALID_ARGUMENT')
  })
})

test('a frame beyond the reach of 32-bit pointers is aborted, not misread', () => {
  const context = new XdpContext(new Uint8Array(16))
  context.dataEnd = 0xffff_ffff
  const code = encode([mov(0, 2), exit])
  for (const engine of ['compile', 'interpret'] as const)
    expect(loadEbpf({ name: 'pass', code }, { engine }).run(context)).toBe(XDP_ABORTED)
})
