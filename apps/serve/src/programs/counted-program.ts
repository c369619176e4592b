import { type EbpfMap, HashMap, readObject } from '@vring/ebpf'
import { loadEbpf, Xdp1, type XdpProgram } from '@vring/xdp'
import { addEntry, COUNTED_ENTRIES_MAX, type CountedMap, countedMaps } from './map-counts.ts'
import type { ProgramSpec } from './program-spec.ts'

/** An XDP program of this thread, with what it counts. */
export interface CountedProgram {
  readonly program: XdpProgram
  /** Counters that are not zero, see `addEntry`: named as those of a program in the kernel. */
  counts(): Record<string, number>
}

/**
 * Loads a program once; each queue pair has one of its own.
 *
 * @param trace where lines of `bpf_printk` go
 * @throws VringError for a malformed object; EbpfError naming the instruction that verification refuses, and why
 */
export async function loadCountedProgram(spec: ProgramSpec, trace: (line: string) => void): Promise<CountedProgram> {
  if (spec.kind === 'xdp1') {
    const program = new Xdp1()
    return { program, counts: () => nonZero('rxcnt', program.counters) }
  }
  const program = await loadEbpf(spec.bytes, { trace, ...(spec.program === null ? {} : { program: spec.program }) })
  const maps = countedMaps(readObject(spec.bytes), program.maps.keys())
  return {
    program,
    counts: () => {
      const counts: Record<string, number> = {}
      for (const one of maps) addMap(counts, one, program.maps.get(one.definition.name)!)
      return counts
    },
  }
}

/** A per-CPU map gives its first copy: the program runs on one CPU as it sees it. */
function addMap(counts: Record<string, number>, one: CountedMap, map: EbpfMap): void {
  const entries = map instanceof HashMap ? map.size : map.maxEntries
  if (entries > COUNTED_ENTRIES_MAX) return
  for (const key of map.keys()) {
    const value = map.get(key)
    if (value !== undefined) addEntry(counts, one, key, [value])
  }
}

function nonZero(name: string, counters: ArrayLike<number>): Record<string, number> {
  const counts: Record<string, number> = {}
  for (let key = 0; key < counters.length; key++) if (counters[key]! > 0) counts[`${name}[${key}]`] = counters[key]!
  return counts
}
