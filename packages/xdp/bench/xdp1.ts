import { readFileSync } from 'node:fs'
import { bench, run, summary } from 'mitata'
import { loadEbpf, XDP_DROP, Xdp1, XdpContext, type XdpEbpfProgram, type XdpProgram } from '../src/index.ts'

/** Frames in one measured call, 64 bytes apart: a page-sized working set, as a ring's buffers are. */
const FRAMES = 64
const FRAME_BYTES = 64
const UDP = 17

const object = new Uint8Array(readFileSync(new URL('../fixtures/xdp1.v3.o', import.meta.url)))
const written = new Xdp1()
const compiled = await loadEbpf(object, { engine: 'compile' })
const interpreted = await loadEbpf(object, { engine: 'interpret' })

const memory = new Uint8Array(FRAMES * FRAME_BYTES)
for (let i = 0; i < FRAMES; i++) {
  memory.set([0x08, 0x00, 0x45], i * FRAME_BYTES + 12)
  memory[i * FRAME_BYTES + 23] = UDP
}

/** A loop of its own for each program: a hook's isolate runs one program. */
function loopOver(program: XdpProgram): () => number {
  const body =
    'let dropped=0;for(let i=0;i<frames;i++){context.setFrame(memory,i*bytes,bytes);if(program.run(context)===drop)dropped++}return dropped'
  const loop = new Function('program', 'context', 'memory', 'frames', 'bytes', 'drop', body)
  const context = new XdpContext()
  return () => loop(program, context, memory, FRAMES, FRAME_BYTES, XDP_DROP)
}

function counted(program: XdpEbpfProgram): number {
  const count = program.maps.get('rxcnt')!.get(Uint8Array.of(UDP, 0, 0, 0))!
  return Number(new DataView(count.buffer, count.byteOffset).getBigUint64(0, true))
}

const cells = [
  { name: 'xdp1, TypeScript', program: written, count: () => written.counters[UDP]! },
  { name: 'xdp1, eBPF compiled', program: compiled, count: () => counted(compiled) },
  { name: 'xdp1, eBPF interpreted', program: interpreted, count: () => counted(interpreted) },
]
for (const { name, program, count } of cells) {
  const loop = loopOver(program)
  if (loop() !== FRAMES || count() !== FRAMES) throw new Error(`${name}: ${count()} of ${FRAMES} frames counted`)
}

summary(() => {
  for (const { name, program } of cells) {
    const loop = loopOver(program)
    bench(`${name}, ${FRAMES} frames`, () => loop()).gc('once')
  }
})
const { benchmarks } = await run()
for (const { alias, runs } of benchmarks) {
  const nanoseconds = runs[0]?.stats?.p50
  if (nanoseconds !== undefined) console.log(`${alias}: ${((FRAMES / nanoseconds) * 1000).toFixed(1)} Mpps (median)`)
}
