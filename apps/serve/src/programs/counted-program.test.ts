import { fileURLToPath } from 'node:url'
import { XDP_DROP, XDP_PASS, XdpContext } from '@vring/xdp'
import { describe, expect, test } from 'vitest'
import { loadCountedProgram } from './counted-program.ts'
import { readObjectSpec } from './program-spec.ts'
import { limitLines } from './trace-lines.ts'

const COUNTERS = fileURLToPath(new URL('../../../../packages/xdp/fixtures/counters.v3.o', import.meta.url))

/** IPv4 and UDP from 10.0.0.1 to port 53. */
function udp(bytes: number): XdpContext {
  const frame = new Uint8Array(bytes)
  frame.set([0x08, 0x00, 0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x30, 0x39, 0, 53], 12)
  const context = new XdpContext()
  context.setFrame(frame, 0, bytes)
  return context
}

describe('--xdp', () => {
  test.each([
    ['xdp1', null],
    [COUNTERS, null],
    [`${COUNTERS}:count`, 'count'],
    [`${COUNTERS}:xdp/drop`, 'xdp/drop'],
  ])('%s is program %s', (xdp, program) => {
    const spec = readObjectSpec(xdp)
    expect([spec.program, spec.xdp, spec.bytes.length > 0]).toEqual([program, xdp, true])
  })

  test('a file that is missing is named as it was given', () => {
    expect(() => readObjectSpec('/nonexistent.o:p')).toThrow(/--xdp \/nonexistent\.o:p: .*ENOENT/)
  })

  test('a program of several is chosen by its name, or refused with the names that there are', async () => {
    const { program } = await loadCountedProgram(readObjectSpec(`${COUNTERS}:xdp/drop`), () => {})
    expect(program.run(udp(64))).toBe(XDP_DROP)
    await expect(loadCountedProgram(readObjectSpec(COUNTERS), () => {})).rejects.toThrow(/one of count, drop/)
    await expect(loadCountedProgram(readObjectSpec(`${COUNTERS}:pass`), () => {})).rejects.toThrow(/one of count, drop/)
  })

  test('counts are told by the names that BTF has: hash maps, structures, arrays and global variables', async () => {
    const lines: string[] = []
    const { program, counts } = await loadCountedProgram(readObjectSpec(`${COUNTERS}:count`), (line) =>
      lines.push(line),
    )
    const verdicts = [udp(64), udp(120), udp(60)].map((context) => program.run(context))
    expect(verdicts).toEqual([XDP_PASS, XDP_PASS, XDP_DROP])
    const flow = 'flows[source=16777226,port=13568,protocol=17]'
    expect(counts()).toEqual({
      [`${flow}.frames`]: 2,
      [`${flow}.bytes`]: 184,
      [`${flow}.sizes[0]`]: 1,
      [`${flow}.sizes[1]`]: 1,
      'totals[0].frames': 3,
      'totals[0].bytes': 244,
      'totals[0].sizes[0]': 2,
      'totals[0].sizes[1]': 1,
      seen: 3,
      'other.short_frames.frames': 1,
      'other.short_frames.bytes': 60,
      'other.short_frames.sizes[0]': 1,
    })
    expect(lines.map((line) => line.trim())).toEqual(['short: 60'])
  })
})

test('of what bpf_printk prints, a hundred lines a second pass, and the others are counted', () => {
  const lines: string[] = []
  let now = 0
  const write = limitLines(
    (line) => lines.push(line),
    () => now,
  )
  for (let i = 0; i < 250; i++) write(`line ${i}\n`)
  expect(lines.length).toBe(100)
  expect(lines[99]).toBe('bpf_printk: line 99')
  now = 1000
  write('later')
  expect(lines.slice(100)).toEqual(['bpf_printk: 150 lines left out', 'bpf_printk: later'])
})
