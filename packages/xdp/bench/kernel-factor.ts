import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KernelXdpObject } from '@vring/ebpf/linux'
import { loadEbpf, XdpContext } from '../src/index.ts'

/*
 * ns a run of ten programs on one frame: compiled to JavaScript, and by the kernel's JIT (duration of BPF_PROG_TEST_RUN).
 * Needs root, clang and libbpf-dev.
 */
const PROGRAMS = [
  'parse-ethernet',
  'parse-vlan',
  'parse-ipv4-options',
  'parse-ipv6',
  'count-bytes',
  'flow-hash',
  'load-balancer',
  'subprograms',
  'loop-bounded',
  'swap-macs',
]
const RUNS = 1_000_000
const NS_PER_MS = 1_000_000

/** Ethernet, IPv4 and UDP, 64 bytes. */
const frame = new Uint8Array(64)
frame.set([0x08, 0x00, 0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17], 12)
frame.set([10, 0, 0, 1, 10, 0, 0, 2, 0x30, 0x39, 0, 53], 26)

const folder = mkdtempSync(join(tmpdir(), 'vring-factor-'))
try {
  for (const name of PROGRAMS) {
    const object = join(folder, `${name}.o`)
    const source = join(import.meta.dirname, '../fixtures/sources', `${name}.bpf.c`)
    const flags = ['-target', 'bpf', '-mcpu=v3', '-O2', '-g', '-D__x86_64__', '-I/usr/include/x86_64-linux-gnu']
    execFileSync('clang', [...flags, '-c', source, '-o', object])
    const bytes = readFileSync(object)
    const kernel = KernelXdpObject.load(bytes, { program: 'prog' })
    const { durationNs } = kernel.program.testRun(frame, RUNS)
    kernel.close()
    const program = await loadEbpf(bytes, { program: 'prog', engine: 'compile' })
    const context = new XdpContext()
    const u8 = new Uint8Array(frame)
    let best = Number.POSITIVE_INFINITY
    for (let round = 0; round < 5; round++) {
      const start = performance.now()
      for (let i = 0; i < RUNS; i++) {
        context.setFrame(u8, 0, u8.length)
        program.run(context)
      }
      best = Math.min(best, ((performance.now() - start) * NS_PER_MS) / RUNS)
    }
    const factor = durationNs === 0 ? '' : `, factor ${(best / durationNs).toFixed(1)}`
    console.log(`${name}: ${best.toFixed(1)} ns here, ${durationNs} ns in the kernel${factor}`)
  }
} finally {
  rmSync(folder, { recursive: true })
}
