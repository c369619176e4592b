import type { EbpfMap } from '@vring/ebpf'
import { loadEbpf, Xdp1, type XdpProgram } from '@vring/xdp'
import { addCounts } from './counts.ts'
import { COUNTED_ENTRIES_MAX } from './kernel-program.ts'
import type { ProgramSpec } from './protocol.ts'

/** An XDP program of this thread, with what it counts. */
export interface CountedProgram {
  readonly program: XdpProgram
  /** Counters that are not zero, `rxcnt[17]`: 64-bit values of its arrays, named as those of a program in the kernel. */
  counts(): Record<string, number>
}

/**
 * Loads a program once; each queue pair has one of its own.
 *
 * @throws VringError for a malformed object; EbpfError naming the instruction that verification refuses, and why
 */
export async function loadCountedProgram(spec: ProgramSpec): Promise<CountedProgram> {
  if (spec.kind === 'xdp1') {
    const program = new Xdp1()
    return { program, counts: () => nonZero('rxcnt', program.counters) }
  }
  const program = await loadEbpf(spec.bytes)
  const arrays = [...program.maps.values()].filter(isCounter)
  return {
    program,
    counts: () => {
      const counts: Record<string, number> = {}
      for (const map of arrays) addCounts(counts, nonZero(map.name, numbersOf(map)))
      return counts
    },
  }
}

function isCounter({ type, valueBytes, maxEntries }: EbpfMap): boolean {
  return (type === 'array' || type === 'percpu-array') && valueBytes === 8 && maxEntries <= COUNTED_ENTRIES_MAX
}

/** The first copy of a per-CPU array: the program runs on one CPU as it sees it. Exact up to 2^53. */
function numbersOf({ values, maxEntries }: EbpfMap): number[] {
  const view = new DataView(values.buffer, values.byteOffset, values.byteLength)
  return Array.from({ length: maxEntries }, (_, index) => Number(view.getBigUint64(8 * index, true)))
}

function nonZero(name: string, counters: ArrayLike<number>): Record<string, number> {
  const counts: Record<string, number> = {}
  for (let key = 0; key < counters.length; key++) if (counters[key]! > 0) counts[`${name}[${key}]`] = counters[key]!
  return counts
}
