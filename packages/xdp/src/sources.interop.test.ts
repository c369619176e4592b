import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EbpfMap } from '@vring/ebpf'
import { KernelXdpObject } from '@vring/ebpf/linux'
import { affinity, type BpfMap, setAffinity } from '@vring/linux'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadEbpf, XdpContext, type XdpEbpfProgram } from './index.ts'

/*
 * Sources in the style of tutorials and of tools, compiled here by clang: what this kernel loads is loaded, what it refuses
 * is refused, and verdict, frame and map contents are the same after each of a row of frames.
 */
const SOURCES = join(import.meta.dirname, '../fixtures/sources')
const CPUS = ['v1', 'v2', 'v3'] as const
const FRAMES = 40
/** Room that BPF_PROG_TEST_RUN leaves around a frame: XDP_PACKET_HEADROOM and what its page has after it. */
const HEADROOM = 256
const PAGE_BYTES = 4096
/** Bytes of a frame in its first page: without headroom and struct skb_shared_info. */
const LINEAR_BYTES = PAGE_BYTES - HEADROOM - 320
const missing =
  process.getuid?.() !== 0
    ? 'needs root'
    : spawnSync('clang', ['--version']).status !== 0 || !existsSync('/usr/include/bpf/bpf_helpers.h')
      ? 'needs clang and libbpf-dev'
      : null
const folder = mkdtempSync(join(tmpdir(), 'vring-sources-'))
afterAll(() => rmSync(folder, { recursive: true }))

const sources = readdirSync(SOURCES).filter((name) => name.endsWith('.bpf.c'))

function compile(source: string, cpu: string): Uint8Array {
  const object = join(folder, `${source}.${cpu}.o`)
  const flags = `-target bpf -mcpu=${cpu} -O2 -g -D__x86_64__ -I/usr/include/x86_64-linux-gnu`.split(' ')
  execFileSync('clang', [...flags, '-c', join(SOURCES, source), '-o', object])
  return readFileSync(object)
}

/** Frames of many kinds, the same ones in every run. */
function frames(): Uint8Array[] {
  let seed = 0x2545_f491
  const next = (): number => {
    seed ^= seed << 13
    seed ^= seed >>> 17
    seed ^= seed << 5
    return seed >>> 0
  }
  return Array.from({ length: FRAMES }, (_, i) => {
    const frame = Uint8Array.from({ length: 14 + (next() % 100) }, () => next() >>> 11)
    const type = [
      [0x08, 0x00],
      [0x86, 0xdd],
      [0x81, 0x00],
    ][i % 3]!
    if (i % 4 !== 3) frame.set(type, 12)
    if (i % 3 === 0 && frame.length > 34) frame.set([0x45, 0, 0, 60, 0, 0, 0, 0, 64, i % 2 ? 17 : 1], 14)
    if (frame.length > 42) frame[37] = 53
    if (i % 5 === 0) frame.fill(i, 0, 8)
    return frame
  })
}

/** Frames that the kernel's test run lays out in several pieces. */
function jumboFrames(short: readonly Uint8Array[]): Uint8Array[] {
  return [LINEAR_BYTES, LINEAR_BYTES + 1, 4096, LINEAR_BYTES + 4096, LINEAR_BYTES + 4097, 9000].map((length, i) =>
    Uint8Array.from({ length }, (_, at) => short[(i + at) % short.length]![at % 14]! + at),
  )
}

/** A frame laid out as the kernel's test run does it: a page with headroom and tailroom, then whole pages. */
function contextOf(frame: Uint8Array): XdpContext {
  const context = new XdpContext()
  const first = new Uint8Array(HEADROOM + LINEAR_BYTES)
  first.set(frame.subarray(0, LINEAR_BYTES), HEADROOM)
  const length = Math.min(frame.length, LINEAR_BYTES)
  context.setFrame(first, HEADROOM, length, HEADROOM, LINEAR_BYTES - length)
  for (let at = LINEAR_BYTES; at < frame.length; at += PAGE_BYTES) {
    const page = new Uint8Array(PAGE_BYTES)
    const piece = frame.subarray(at, at + PAGE_BYTES)
    page.set(piece)
    context.addFragment(page, 0, piece.length, PAGE_BYTES - piece.length)
  }
  return context
}

/** Metadata and all pieces. */
function contentsOf({ u8, dataMeta, dataEnd, fragments }: XdpContext): Uint8Array {
  return Buffer.concat([u8.slice(dataMeta, dataEnd), ...fragments.map((one) => one.u8.slice(one.start, one.end))])
}

/** Everything that a map holds, as text: by key, and in order. */
function contents(map: EbpfMap, kernel: BpfMap): [string[], string[]] | undefined {
  const isPerCpu = map.type.includes('percpu')
  if (!/^(array|hash|percpu-array|percpu-hash|lru-hash|lpm-trie)$/.test(map.type)) return undefined
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
  const ours = map.keys().map((key) => `${hex(key)}: ${hex(map.get(key)!)}`)
  const theirs = map.keys().map((key) => {
    const values = kernel.lookup(key)
    if (values === null) return `${hex(key)}: missing`
    // The kernel counts on the CPU that it runs on.
    const value = isPerCpu ? values.reduce(sum) : values[0]!
    return `${hex(key)}: ${hex(value)}`
  })
  return [ours.sort(), theirs.sort()]
}

/** The sum of per-CPU values, 64-bit words apiece. */
function sum(one: Uint8Array, other: Uint8Array): Uint8Array {
  const total = one.slice()
  const view = new DataView(total.buffer)
  const more = new DataView(other.buffer, other.byteOffset)
  for (let at = 0; at + 8 <= total.length; at += 8)
    view.setBigUint64(at, view.getBigUint64(at, true) + more.getBigUint64(at, true), true)
  return total
}

interface Outcome {
  readonly program: XdpEbpfProgram | null
  readonly kernel: KernelXdpObject | null
  readonly why: string
}

async function loadBoth(object: Uint8Array): Promise<Outcome> {
  let program: XdpEbpfProgram | null = null
  let kernel: KernelXdpObject | null = null
  const why: string[] = []
  try {
    program = await loadEbpf(object, { program: 'prog' })
  } catch (error) {
    why.push(`here: ${(error as Error).message}`)
  }
  try {
    kernel = KernelXdpObject.load(object, { program: 'prog' })
  } catch (error) {
    why.push(`kernel: ${(error as Error).message}`)
  }
  return { program, kernel, why: why.join('\n') }
}

describe.skipIf(missing !== null)(
  `sources, here and in the kernel${missing === null ? '' : ` (skipped: ${missing})`}`,
  () => {
    // A program that keeps something from frame to frame in a per-CPU map has it on one CPU, as here.
    const cpus = missing === null ? affinity() : []
    beforeAll(() => setAffinity(cpus.slice(0, 1)))
    afterAll(() => setAffinity(cpus))

    test.each(sources)('%s', async (source) => {
      const needsV3 = readFileSync(join(SOURCES, source), 'utf8').includes('needs -mcpu=v3')
      for (const cpu of needsV3 ? (['v3'] as const) : CPUS) {
        const { program, kernel, why } = await loadBoth(compile(source, cpu))
        try {
          expect(program === null, `${cpu}: ${why}`).toBe(kernel === null)
          if (program === null || kernel === null) continue
          const short = frames()
          expect(program.acceptsFragments).toBe(source.startsWith('frags-'))
          const all = program.acceptsFragments ? [...short, ...jumboFrames(short)] : short
          for (const [i, frame] of all.entries()) {
            const context = contextOf(frame)
            const theirs = kernel.program.testRun(frame)
            const name = `${cpu}, frame ${i}`
            expect(program.run(context) >>> 0, name).toBe(theirs.verdict)
            expect(Buffer.from(contentsOf(context)).equals(theirs.frame), name).toBe(true)
          }
          for (const [name, map] of program.maps) {
            const both = contents(map, kernel.maps.get(name)!)
            if (both !== undefined) expect(both[0], `${cpu}, map ${name}`).toEqual(both[1])
          }
        } finally {
          kernel?.close()
        }
      }
    })

    test('there are at least 40 sources', () => {
      expect(sources.length).toBeGreaterThanOrEqual(40)
    })
  },
)
