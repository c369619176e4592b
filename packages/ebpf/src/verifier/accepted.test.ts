import { describe, expect, test } from 'vitest'
import { loadPacketProgram, PacketContext } from '../../test/packet-type.ts'
import {
  add,
  addImmediate,
  call,
  copy,
  exit,
  jump,
  jumpImmediate,
  load,
  lookup,
  mov,
  packet,
  put,
  run,
  store,
} from '../../test/programs.ts'
import { encode, type Instruction } from '../index.ts'

describe('the verifier accepts', () => {
  test('a loop of 100 rounds that counts some of them: states of one round are compared with one another', async () => {
    // r7 += 1 in rounds whose random number is not above 200
    const code: Instruction[] = [
      mov(6, 0),
      mov(7, 0),
      call(7),
      jumpImmediate('gt', 0, 200, 5),
      addImmediate(7, 1),
      addImmediate(6, 1),
      jumpImmediate('lt', 6, 100, 2),
      copy(0, 7),
      exit,
    ]
    const { verifiedInstructions } = await loadPacketProgram({ name: 'p', code: encode(code) })
    expect(verifiedInstructions).toBeLessThan(100_000)
  })

  test('packet bytes after a comparison with the end, on either side of it', () => {
    const frame = new Uint8Array(64)
    frame[13] = 2
    expect(
      run(
        [...packet, copy(4, 2), addImmediate(4, 14), jump('gt', 4, 3, 7), load(0, 2, 13, 1), exit, mov(0, 1), exit],
        frame,
      ),
    ).toBe(2)
    expect(
      run(
        [...packet, copy(4, 2), addImmediate(4, 14), jump('lt', 3, 4, 7), load(0, 2, 13, 1), exit, mov(0, 1), exit],
        frame,
      ),
    ).toBe(2)
    expect(
      run(
        [...packet, copy(4, 2), addImmediate(4, 14), jump('le', 4, 3, 7), mov(0, 1), exit, load(0, 2, 13, 1), exit],
        frame,
      ),
    ).toBe(2)
    // Strictly below the end: the byte that the pointer is at is there as well.
    expect(
      run(
        [...packet, copy(4, 2), addImmediate(4, 13), jump('lt', 4, 3, 7), mov(0, 1), exit, load(0, 2, 13, 1), exit],
        frame,
      ),
    ).toBe(2)
    expect(
      run(
        [...packet, copy(4, 2), addImmediate(4, 14), jump('gt', 4, 3, 7), load(0, 2, 13, 1), exit, mov(0, 1), exit],
        new Uint8Array(10),
      ),
    ).toBe(1)
  })

  test('a variable packet offset that is bounded and compared', () => {
    const frame = new Uint8Array(64)
    frame[0] = 20
    frame[20] = 2
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
    expect(run(program, frame)).toBe(2)
  })

  test('a map value after a null check, also through a copy of the pointer', () => {
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
    ).toBe(2)
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
    expect(run([mov(0, 0), addImmediate(0, 1), jumpImmediate('lt', 0, 1000, 1), mov(0, 2), exit])).toBe(2)
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
    expect(run(program)).toBe(2)
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
    expect(run(program)).toBe(2)
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
    expect(run(program)).toBe(2)
  })
})

describe('as Linux does for a privileged program, the verifier accepts', () => {
  test('reading stack that was never written', () => {
    expect(run([put(10, -8, 7, 4), load(0, 10, -8, 8), load(0, 10, -8, 4), exit])).toBe(7)
  })

  test('pointers as numbers: a difference in 32 bits, a comparison, a value in a map', () => {
    // r0 = (u32)data_end - (u32)data
    const length: Instruction[] = [
      ...packet,
      { kind: 'move', destination: 0, source: 3, immediate: 0, bits: 32, fromBits: 32 },
      { kind: 'alu', operation: 'sub', bits: 32, destination: 0, source: 2, immediate: 0 },
      exit,
    ]
    expect(run(length)).toBe(64)
    expect(run([mov(0, 2), jumpImmediate('gt', 10, 5, 3), mov(0, 1), exit])).toBe(2)
    expect(run([...lookup(0), jumpImmediate('eq', 0, 0, 8), store(0, 0, 10), mov(0, 2), exit])).toBe(2)
  })

  test('constants in frozen maps: what they rule out is not looked at', () => {
    // r0 = constants[0]; if r0 > 1 read address 16: the map holds zeros
    const program: Instruction[] = [
      { kind: 'load-map-value', destination: 1, map: 4, offset: 0 },
      load(0, 1, 0),
      jumpImmediate('lt', 0, 2, 5),
      load(0, 0, 16),
      exit,
    ]
    expect(run(program)).toBe(0)
  })

  test('a low half that was compared in 32 bits, as an index in 64 bits', () => {
    // w6 = random; r7 = array value; if w6 > 15 exit; r7 += r6
    const program: Instruction[] = [
      call(5),
      copy(6, 0),
      ...lookup(0),
      jumpImmediate('ne', 0, 0, 11),
      mov(0, 2),
      exit,
      { kind: 'jump', condition: 'gt', bits: 32, destination: 6, source: -1, immediate: 15, target: 15 },
      { kind: 'move', destination: 6, source: 6, immediate: 0, bits: 32, fromBits: 32 },
      add(0, 6),
      load(0, 0, 0, 1),
      mov(0, 2),
      exit,
    ]
    expect(run(program)).toBe(2)
  })
})

test('a frame beyond the reach of 32-bit pointers is not run: its result is 0', () => {
  const context = new PacketContext(new Uint8Array(16))
  context.dataEnd = 0xffff_ffff
  const code = encode([mov(0, 2), exit])
  for (const engine of ['compile', 'interpret'] as const)
    expect(loadPacketProgram({ name: 'pass', code }, { engine }).run(context)).toBe(0)
})
