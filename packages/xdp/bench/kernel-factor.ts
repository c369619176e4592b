import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KernelXdpObject } from '@vring/ebpf/linux'
import { loadEbpf, Xdp1, XdpContext, type XdpProgram } from '../src/index.ts'

/*
 * ns a run of ten programs on one frame: compiled to JavaScript, and by the kernel's JIT (duration of BPF_PROG_TEST_RUN); and
 * Mpps of xdp1, compiled and written in TypeScript. All in turns, slice by slice; the median of the slices is told, so that
 * what else the machine does weighs on both. Needs root, clang and libbpf-dev.
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
/** Runs in one slice: short enough that most slices are not interrupted. */
const RUNS = 10_000
const WARM_SLICES = 50
const SLICES = 101
const NS_PER_MS = 1_000_000

/** Ethernet, IPv4 and UDP, 64 bytes. */
const frame = new Uint8Array(64)
frame.set([0x08, 0x00, 0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17], 12)
frame.set([10, 0, 0, 1, 10, 0, 0, 2, 0x30, 0x39, 0, 53], 26)

/** A loop of its own for each program: a hook's isolate runs one program. @returns what one slice takes, ns a run */
function slicesOf(program: XdpProgram): () => number {
  const body = 'for(let i=0;i<runs;i++){context.setFrame(u8,0,u8.length);program.run(context)}'
  const loop = new Function('program', 'context', 'u8', 'runs', body)
  const context = new XdpContext()
  const u8 = new Uint8Array(frame)
  return () => {
    const start = performance.now()
    loop(program, context, u8, RUNS)
    return ((performance.now() - start) * NS_PER_MS) / RUNS
  }
}

/** The median of each, measured in turns; the first ones warm up. */
function inTurns(all: readonly (() => number)[]): number[] {
  const slices = all.map((): number[] => [])
  for (let turn = 0; turn < WARM_SLICES + SLICES; turn++)
    for (const [i, slice] of all.entries()) {
      const ns = slice()
      if (turn >= WARM_SLICES) slices[i]!.push(ns)
    }
  return slices.map((one) => one.sort((a, b) => a - b)[SLICES >> 1]!)
}

function compileObject(folder: string, name: string): Uint8Array {
  const object = join(folder, `${name}.o`)
  const source = join(import.meta.dirname, '../fixtures/sources', `${name}.bpf.c`)
  const flags = ['-target', 'bpf', '-mcpu=v3', '-O2', '-g', '-D__x86_64__', '-I/usr/include/x86_64-linux-gnu']
  execFileSync('clang', [...flags, '-c', source, '-o', object])
  return readFileSync(object)
}

const folder = mkdtempSync(join(tmpdir(), 'vring-factor-'))
try {
  for (const name of PROGRAMS) {
    const bytes = compileObject(folder, name)
    const kernel = KernelXdpObject.load(bytes, { program: 'prog' })
    const program = await loadEbpf(bytes, { program: 'prog', engine: 'compile' })
    const [here, there] = inTurns([slicesOf(program), () => kernel.program.testRun(frame, RUNS).durationNs])
    kernel.close()
    const factor = there === 0 ? '' : `, factor ${(here! / there!).toFixed(1)}`
    console.log(`${name}: ${here!.toFixed(1)} ns here, ${there} ns in the kernel${factor}`)
  }
  const object = readFileSync(new URL('../fixtures/xdp1.v3.o', import.meta.url))
  const compiled = await loadEbpf(object, { engine: 'compile' })
  const [ebpf, typescript] = inTurns([slicesOf(compiled), slicesOf(new Xdp1())])
  const rate = (ns: number): string => `${(1000 / ns).toFixed(1)} Mpps`
  console.log(
    `xdp1: ${rate(ebpf!)} compiled, ${rate(typescript!)} in TypeScript, factor ${(ebpf! / typescript!).toFixed(2)}`,
  )
} finally {
  rmSync(folder, { recursive: true })
}
