import { EbpfError, type RawEbpf } from '@vring/ebpf'
import { withDescriptors } from '@vring/ebpf/linux'
import { BpfMap, KernelXdpProgram, key32 } from '@vring/linux'
import { describe, expect, test } from 'vitest'
import { FRAME_BYTES, Random, randomProgram, VALUE_BYTES } from '../test/random-programs.ts'
import { loadEbpf, XdpContext, type XdpEbpfProgram } from './index.ts'

/*
 * Random programs here and in the running kernel: verdict, frame and map are the same. VRING_FUZZ_PROGRAMS=100000 for more
 * of them, VRING_FUZZ_SEED for others.
 */
const PROGRAMS = Number(process.env['VRING_FUZZ_PROGRAMS'] ?? 1500)
const SEED = Number(process.env['VRING_FUZZ_SEED'] ?? 20261)
const RUNS = 3
const MAP = { name: 'value', type: 'array', keyBytes: 4, valueBytes: VALUE_BYTES, maxEntries: 1 } as const
const isRoot = process.getuid?.() === 0

async function loadHere(source: RawEbpf, engine: 'compile' | 'interpret'): Promise<XdpEbpfProgram | EbpfError> {
  try {
    return await loadEbpf(source, { engine })
  } catch (error) {
    if (error instanceof EbpfError) return error
    throw error
  }
}

function loadThere(code: Uint8Array, map: BpfMap): KernelXdpProgram | Error {
  try {
    return KernelXdpProgram.load({ name: 'fuzz', instructions: withDescriptors(code, [map]) })
  } catch (error) {
    return error as Error
  }
}

/** What a run leaves: verdict, frame and value as text. */
function outcome(verdict: number, frame: Uint8Array, value: Uint8Array): string {
  return `${verdict} ${Buffer.from(frame).toString('hex')} ${Buffer.from(value).toString('hex')}`
}

describe.skipIf(!isRoot)(`random programs${isRoot ? '' : ' (skipped: needs root)'}`, () => {
  test(`${PROGRAMS} of them do the same here as in the kernel, and fewer than 1 % of those it accepts are refused`, async () => {
    const random = new Random(SEED)
    const map = BpfMap.create({ type: 'array', name: 'value', keySize: 4, valueSize: VALUE_BYTES, maxEntries: 1 })
    const counts = { both: 0, neither: 0, onlyKernel: 0, onlyHere: 0 }
    const refusals: string[] = []
    try {
      for (let i = 0; i < PROGRAMS; i++) {
        const code = randomProgram(random)
        const engine = i % 4 === 3 ? 'interpret' : 'compile'
        const here = await loadHere({ name: 'fuzz', code, maps: [MAP] }, engine)
        const there = loadThere(code, map)
        if (here instanceof Error || there instanceof Error) {
          if (here instanceof Error && there instanceof Error) counts.neither++
          else if (here instanceof Error) {
            counts.onlyKernel++
            refusals.push(`program ${i}: ${here.message}`)
          } else {
            counts.onlyHere++
            if (process.env['VRING_FUZZ_SHOW'] === 'all') console.log(`program ${i}: ${(there as Error).message}`)
          }
          if (!(there instanceof Error)) there.close()
          continue
        }
        counts.both++
        for (let run = 0; run < RUNS; run++) {
          const frame = Uint8Array.from({ length: FRAME_BYTES + random.below(32) }, () => random.next())
          const initial = Uint8Array.from({ length: VALUE_BYTES }, () => random.next())
          map.update(key32(0), initial)
          const theirs = there.testRun(frame)
          const value = map.lookup(key32(0))![0]!
          const { values } = here.maps.get('value')!
          values.set(initial)
          const context = new XdpContext()
          const u8 = new Uint8Array(frame)
          context.setFrame(u8, 0, u8.length)
          const verdict = here.run(context) >>> 0
          expect(outcome(verdict, u8, values), `seed ${SEED}, program ${i}, ${engine}`).toBe(
            outcome(theirs.verdict, theirs.frame, value),
          )
        }
        there.close()
      }
    } finally {
      map.close()
    }
    if (process.env['VRING_FUZZ_SHOW'] !== undefined) console.log(counts, refusals.slice(0, 20).join('\n'))
    expect(counts.both, JSON.stringify(counts)).toBeGreaterThan(PROGRAMS / 4)
    expect(counts.onlyKernel / (counts.both + counts.onlyKernel), refusals.slice(0, 5).join('\n')).toBeLessThan(0.01)
  }, 600_000)
})
