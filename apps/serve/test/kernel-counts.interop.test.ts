import { fileURLToPath } from 'node:url'
import { XdpContext } from '@vring/xdp'
import { describe, expect, test } from 'vitest'
import { loadCountedProgram } from '../src/programs/counted-program.ts'
import { KernelProgram } from '../src/programs/kernel-program.ts'
import { readObjectSpec } from '../src/programs/program-spec.ts'

const COUNTERS = fileURLToPath(new URL('../../../packages/xdp/fixtures/counters.v3.o', import.meta.url))
const isRoot = process.getuid?.() === 0

/** IPv4 and UDP from 10.0.0.1 to port 53. */
function udp(bytes: number): Uint8Array {
  const frame = new Uint8Array(bytes)
  frame.set([0x08, 0x00, 0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x30, 0x39, 0, 53], 12)
  return frame
}

describe.skipIf(!isRoot)(`a program in the kernel${isRoot ? '' : ' (skipped: needs root)'}`, () => {
  test('has the same verdicts and counters, by the same names, as in this process', async () => {
    const spec = readObjectSpec(`${COUNTERS}:count`)
    const kernel = new KernelProgram(spec)
    try {
      const here = await loadCountedProgram(spec, () => {})
      for (const frame of [64, 120, 60, 1000].map(udp)) {
        const context = new XdpContext()
        context.setFrame(frame.slice(), 0, frame.length)
        expect(here.program.run(context)).toBe(kernel.program.testRun(frame).verdict)
      }
      expect(here.counts()).toEqual(kernel.counts())
      expect(here.counts()['flows[source=16777226,port=13568,protocol=17].bytes']).toBe(1184)
    } finally {
      kernel.close()
    }
  })
})
