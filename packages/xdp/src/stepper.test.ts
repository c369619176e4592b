import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadStepper, REGION_PACKET, REGION_STACK } from '@vring/ebpf'
import { describe, expect, test } from 'vitest'
import { loadEbpf, readObject, XDP_DROP, XDP_TYPE, XdpContext } from './index.ts'

const object = (name: string): Uint8Array => readFileSync(join(import.meta.dirname, '../fixtures', name))

/** IPv4 and UDP, with room around it. */
function contextOf(): XdpContext {
  const u8 = new Uint8Array(256)
  u8.set([0x08, 0x00, 0x45], 64 + 12)
  u8[64 + 23] = 17
  const context = new XdpContext()
  context.setFrame(u8, 64, 64, 64, 128)
  return context
}

describe('a program that is stepped', () => {
  test('gives what it gives at once, one instruction after the other', () => {
    const stepper = loadStepper(XDP_TYPE, object('xdp1.v3.o'))
    const context = contextOf()
    stepper.begin(context)
    const texts: string[] = []
    const reads: string[] = []
    while (stepper.slot >= 0) {
      texts.push(stepper.instructions.find(({ slot }) => slot === stepper.slot)!.text)
      const access = stepper.step()
      if (access?.region === REGION_PACKET) reads.push(`${access.at - context.data}+${access.bytes}`)
    }
    expect(stepper.result()).toBe(XDP_DROP)
    expect(texts[0]).toMatch(/^r\d = \*\(u32 \*\)\(r1 \+ \d\)$/)
    expect(texts.at(-1)).toBe('exit')
    // The EtherType, then the protocol.
    expect(reads.at(-1)).toBe('23+1')
    expect([...stepper.maps.values()][0]!.get(new Uint8Array([17, 0, 0, 0]))![0]).toBe(1)
  })

  test('shows what the verifier knew before each instruction, and the line of the source', () => {
    const stepper = loadStepper(XDP_TYPE, object('xdp1.v3.o'))
    const known = stepper.instructions.flatMap((one) => [...one.known.values()].flatMap(({ texts }) => texts))
    expect(stepper.instructions[0]!.known.get(1)).toMatchObject({ texts: ['context'], isPointer: true })
    expect(known).toContain('end of the packet')
    expect(known).toContain('packet, 14 bytes checked')
    expect(known).toContain('stack end')
    const source = readFileSync(join(import.meta.dirname, '../fixtures/xdp1.bpf.c'), 'utf8').split('\n')
    const lines = stepper.instructions.flatMap(({ source }) =>
      source !== undefined && source.line > 0 ? [source] : [],
    )
    expect(lines.length).toBeGreaterThan(10)
    expect(lines.some(({ line, text }) => source[line - 1] === text)).toBe(true)
  })

  test('enters and leaves subprograms, each with a stack of its own', async () => {
    for (const { name: program } of readObject(object('features.v3.o')).programs) {
      const once = contextOf()
      const stepped = contextOf()
      // Clocks and random numbers of both are the same.
      const options = { program, clock: () => 5, random: () => 7 }
      const verdict = (await loadEbpf(object('features.v3.o'), options)).run(once)
      const stepper = loadStepper(XDP_TYPE, object('features.v3.o'), options)
      stepper.begin(stepped)
      let deepest = 0
      while (stepper.slot >= 0) {
        deepest = Math.max(deepest, stepper.depth)
        const access = stepper.step()
        if (access?.region === REGION_STACK) expect(access.at).toBeLessThan(512 * 8)
        expect(stepper.stack().length).toBe(512)
      }
      expect(stepper.result(), program).toBe(verdict >>> 0)
      expect(stepped.u8).toEqual(once.u8)
      if (program.includes('subprog')) expect(deepest).toBeGreaterThan(1)
    }
  })

  test('is refused as by loading it', () => {
    expect(() => loadStepper(XDP_TYPE, object('globals.v3.o'), { program: 'bad_null' })).toThrow()
    expect(() => loadStepper(XDP_TYPE, object('globals.v3.o'), { program: 'strict_null' })).toThrow(/may not be null/)
  })
})
