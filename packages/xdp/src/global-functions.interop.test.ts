import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { KernelXdpObject } from '@vring/ebpf/linux'
import { describe, expect, test } from 'vitest'
import { loadEbpf, readObject, XdpContext } from './index.ts'

const missing = process.getuid?.() !== 0 ? 'needs root' : null
const object = (cpu: string): Uint8Array => readFileSync(join(import.meta.dirname, `../fixtures/globals.${cpu}.o`))
const programs = readObject(object('v3')).programs.map(({ name, section }) => [name, section] as const)
const frame = Uint8Array.from({ length: 20 }, (_, i) => i)

describe.skipIf(missing !== null)(
  `global functions in the kernel${missing === null ? '' : ` (skipped: ${missing})`}`,
  () => {
    test.each(programs)('%s (%s): the kernel says the same', async (program, section) => {
      for (const cpu of ['v2', 'v3']) {
        const load = (): KernelXdpObject => KernelXdpObject.load(object(cpu), { program })
        if (section === 'xdp/bad') {
          expect(load).toThrow()
          continue
        }
        const kernel = load()
        try {
          if (section === 'xdp/strict') continue
          const context = new XdpContext()
          context.setFrame(frame.slice(), 0, frame.length)
          const here = await loadEbpf(object(cpu), { program })
          expect(here.run(context) >>> 0).toBe(kernel.program.testRun(frame).verdict)
        } finally {
          kernel.close()
        }
      }
    })
  },
)
