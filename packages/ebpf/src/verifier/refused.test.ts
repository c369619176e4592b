import { describe, expect, test } from 'vitest'
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
  refusal,
  store,
} from '../../test/programs.ts'
import type { Instruction } from '../index.ts'

/** r0 = lookup(map 0, a key that is not there) */
const missing = [put(10, -4, 99, 4), ...lookup(0).slice(1)]

describe('the verifier refuses', () => {
  test.each<[string, Instruction[], number, RegExp]>([
    ['a register that was never written', [copy(0, 5), exit], 0, /r5 is not initialised/],
    ['an exit without a verdict', [mov(1, 0), exit], 1, /r0 is not initialised/],
    ['an instruction that nothing reaches', [mov(0, 0), exit, mov(0, 1), exit], 2, /never be reached/],
    ['running off the end', [mov(0, 0)], 0, /runs off the end/],
    [
      'more functions than Linux allows',
      [
        ...Array.from({ length: 256 }, (_, i): Instruction => ({ kind: 'call-local', target: 257 + 2 * i })),
        exit,
        ...Array.from({ length: 256 }, () => [mov(0, 0), exit]).flat(),
      ],
      255,
      /more than 256 functions/,
    ],
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
      'a packet access before the start of the frame',
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
    [
      'a pointer to a frame that is left to its caller, who would find nothing there',
      [
        put(10, -8, 0),
        copy(1, 10),
        { kind: 'call-local', target: 6 },
        load(2, 10, -8, 8),
        load(0, 2, -8, 8),
        exit,
        put(10, -8, 0),
        addImmediate(1, -8),
        store(1, 0, 10),
        mov(0, 0),
        exit,
      ],
      8,
      /a stack pointer is stored in the frame of a caller/,
    ],
    ['a stack access below the frame', [put(10, -520, 0), mov(0, 0), exit], 0, /stack access at offset -520/],
    ['a stack access above the frame', [put(10, 0, 0), mov(0, 0), exit], 0, /stack access at offset 0, 8 bytes/],
    ['a stack access that is not aligned', [put(10, -12, 0), mov(0, 0), exit], 0, /-12 is not aligned to 8 bytes/],
    ['part of a pointer on the stack', [store(10, -8, 1), load(0, 10, -8, 4), exit], 1, /part of a pointer/],
    ['a pointer stored in part', [store(10, -8, 1, 4), mov(0, 0), exit], 0, /other than as 8 bytes/],
    ['a map value without a null check', [...missing, load(0, 0, 0, 8), exit], 6, /not checked yet/],
    [
      'a map value where it is null',
      [...missing, jumpImmediate('ne', 0, 0, 9), load(0, 0, 0, 8), exit, mov(0, 0), exit],
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
    [
      'a write to what a device map holds',
      [...lookup(1), jumpImmediate('eq', 0, 0, 8), put(0, 0, 1, 4), mov(0, 0), exit],
      7,
      /map devices are read-only/,
    ],
    ['a write to the context', [put(1, 0, 0, 4), mov(0, 0), exit], 0, /context is read-only/],
    ['a context field that is not there', [load(0, 1, 20), exit], 0, /no field of 4 bytes at offset 20/],
    ['half a context field', [load(0, 1, 0, 2), exit], 0, /no field of 2 bytes/],
    ['a helper that does not exist', [call(9999), exit], 0, /helper 9999 is not there for packet programs/],
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
