import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { KernelXdpObject } from '@vring/ebpf/linux'
import { describe, expect, test } from 'vitest'
import { loadEbpf, readObject } from './index.ts'

/** Where Debian's packages xdp-tools and libxdp1 keep their objects. */
const FOLDER = '/usr/lib/x86_64-linux-gnu/bpf'
const missing =
  process.getuid?.() !== 0 ? 'needs root' : existsSync(join(FOLDER, 'xdp-dispatcher.o')) ? null : 'needs xdp-tools'
const objects = missing === null ? readdirSync(FOLDER).filter((name) => /^x.*\.o$/.test(name)) : []

describe.skipIf(missing !== null)(`objects of xdp-tools${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  test('there are objects, with XDP programs', () => {
    expect(objects.length).toBeGreaterThan(10)
  })

  test.each(objects)('%s: what the kernel loads of it is loaded', async (name) => {
    const bytes = readFileSync(join(FOLDER, name))
    const programs = readObject(bytes).programs.filter(({ section }) => section.startsWith('xdp'))
    for (const { name: program } of programs) {
      KernelXdpObject.load(bytes, { program }).close()
      expect((await loadEbpf(bytes, { program })).name).toBe(program)
    }
  })
})
