import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { unsupportedHost } from '../libc.ts'
import { MACHINE_CODE_BYTES_MAX, MachineCode } from './machine-code.ts'

const reason = unsupportedHost() ?? (process.arch === 'x64' ? null : `the code is for x64, not ${process.arch}`)

/** lea rax, [rdi + rsi]; ret */
const ADD = Uint8Array.of(0x48, 0x8d, 0x04, 0x37, 0xc3)

describe.skipIf(reason !== null)(`machine code${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  test('is called with two integers and gives one', () => {
    const add = MachineCode.of(ADD, 'x64')
    expect(Number(add.call(40, 2))).toBe(42)
    expect(Number(add.call(-3n, 1))).toBe(-2)
    expect(BigInt(add.call(2n ** 62n, 1n))).toBe(2n ** 62n + 1n)
    add.unmap()
  })

  test('lies in pages that are never writable and executable at once', () => {
    // lea rax, [rip - 7]; ret: where the code itself lies.
    const where = MachineCode.of(Uint8Array.of(0x48, 0x8d, 0x05, 0xf9, 0xff, 0xff, 0xff, 0xc3), 'x64')
    const address = BigInt(where.call(0, 0))
    const line = readFileSync('/proc/self/maps', 'utf8')
      .split('\n')
      .find((text) => {
        const [from, to] = /^([0-9a-f]+)-([0-9a-f]+)/.exec(text)?.slice(1) ?? []
        return from !== undefined && address >= BigInt(`0x${from}`) && address < BigInt(`0x${to}`)
      })
    expect(line?.split(' ')[1]).toBe('r-xp')
    where.unmap()
  })

  test('is refused without bytes, with too many, for another processor, and after its end', () => {
    for (const length of [0, MACHINE_CODE_BYTES_MAX + 1])
      expect(() => MachineCode.of(new Uint8Array(length), 'x64')).toThrow('code.length')
    expect(() => MachineCode.of(ADD, 'arm64')).toThrow('machine code for arm64 on x64')
    const add = MachineCode.of(ADD, 'x64')
    add.unmap()
    add.unmap()
    expect(() => add.call(1, 1)).toThrow('unmapped')
  })
})
