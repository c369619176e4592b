import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { main, USAGE } from './main.ts'

const OBJECT = join(import.meta.dirname, '../../fixtures/maps.o')
/** r0 = *(u32 *)(r1 + 0) + r2 */
const SUM = '6110000000000000 0f20000000000000 9500000000000000'

async function call(args: readonly string[], stdin = ''): Promise<{ code: number; out: string; error: string }> {
  let out = ''
  let error = ''
  const code = await main(args, {
    stdin: () => stdin,
    out: (text) => {
      out += text
    },
    error: (text) => {
      error += text
    },
  })
  return { code, out, error }
}

describe('vring-ebpf', () => {
  test('run takes instructions from standard input and memory as an argument, and prints r0', async () => {
    expect(await call(['run', '-', '00010000'], SUM)).toEqual({ code: 0, out: '104\n', error: '' })
    expect((await call(['run', '-', '00010000', '--interpret'], SUM)).out).toBe('104\n')
  })

  test('without a command it is a plugin of the conformance runner', async () => {
    expect((await call(['ff000000'], SUM)).out).toBe('103\n')
    expect((await call(['ff000000', '--program', SUM])).out).toBe('103\n')
    expect((await call(['--program', 'b700000005000000 9500000000000000'])).out).toBe('5\n')
  })

  test('a program that is refused is told with its instruction, and the exit code is 1', async () => {
    const { code, error } = await call(['run', '-', '0001'], SUM)
    expect(code).toBe(1)
    expect(error).toMatch(/instruction 0 .* it has 2/)
  })

  test('verify and run say what loads an XDP program, which is not one over plain memory', async () => {
    const file = join(import.meta.dirname, '../../../xdp/fixtures/xdp1.v3.o')
    for (const args of [
      ['verify', file],
      ['run', file, '00'],
    ])
      expect(await call(args)).toMatchObject({
        code: 1,
        error: expect.stringContaining('loadEbpf of @vring/xdp loads it'),
      })
  })

  test('the usage fits a terminal of 80 columns', () => {
    expect(USAGE.split('\n').filter((line) => line.length > 80)).toEqual([])
  })

  test('verify says how many steps it took', async () => {
    expect((await call(['verify', '-', '--memory', '4'], SUM)).out).toBe('program: accepted after 3 steps, compiled\n')
  })

  test('disassemble prints the instructions of a program', async () => {
    const { out } = await call(['disassemble', OBJECT, '--program', 'second'])
    expect(out).toBe('second:\n     0: w0 = 3\n     1: exit\n')
  })

  test('disassemble prints maps of raw instructions by the numbers that they have', async () => {
    const { code, out } = await call(['disassemble', '-'], '1811000003000000 0000000000000000 9500000000000000')
    expect(code).toBe(0)
    expect(out).toMatch(/^program:\n {5}0: r1 = map\[3\]/)
  })

  test('objects prints licence, programs, maps with the types of key and value, and variables', async () => {
    const { out } = await call(['objects', OBJECT])
    expect(out).toMatch(/^license GPL\nprogram by_route, section xdp\n/)
    expect(out).toMatch(
      /map routes, lpm-trie, key struct prefix \(8 bytes\), value __u32 \(4 bytes\), 16 entries, flags 1\n/,
    )
    expect(out).toContain('  variable rounds, 4 bytes at 0\n')
  })

  test.each([
    [['walk'], /command is walk; accepted: run/],
    [['run'], /FILE is missing/],
    [['run', '-', '--fast'], /unknown option --fast/],
    [['verify', '-', '--program'], /--program needs a value/],
  ])('%j: wrong arguments are told, and the exit code is 2', async (args, reason) => {
    const { code, error } = await call(args)
    expect(code).toBe(2)
    expect(error).toMatch(reason)
  })

  test('a file that is not there, and text that is no hex', async () => {
    expect((await call(['run', '/nowhere'])).error).toMatch(/\/nowhere: ENOENT/)
    expect(await call(['run', '-'], 'r0 = 1')).toMatchObject({ code: 1 })
  })
})
