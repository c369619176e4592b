import { readFileSync } from 'node:fs'
import { KernelXdpObject } from '@vring/ebpf/linux'
import type { KernelXdpProgram } from '@vring/linux'

/** Maps with more entries are not read for metrics. */
export const COUNTED_ENTRIES_MAX = 4096

/** The object of `xdp1`: counts frames by IP protocol in `rxcnt`, and drops them. */
export function readXdp1(): Uint8Array {
  return new Uint8Array(readFileSync(new URL('../programs/xdp1.o', import.meta.url)))
}

/** An XDP program of an object file, in the kernel with its maps. */
export class KernelProgram {
  readonly #object: KernelXdpObject

  /** Makes the object's maps and loads its only program, see `KernelXdpObject.load`. */
  constructor(bytes: Uint8Array) {
    this.#object = KernelXdpObject.load(bytes)
  }

  get program(): KernelXdpProgram {
    return this.#object.program
  }

  /** Counters that are not zero, `rxcnt[17]`: 64-bit values of its arrays, summed over all CPUs. */
  counts(): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const [name, map] of this.#object.maps) {
      const { type, valueSize, maxEntries } = map.options
      if (!/array$/.test(type) || valueSize !== 8 || maxEntries > COUNTED_ENTRIES_MAX) continue
      for (let key = 0; key < maxEntries; key++) {
        const count = map.counter(key)
        if (count > 0) counts[`${name}[${key}]`] = count
      }
    }
    return counts
  }

  /** Closes program and maps; an attached program stays attached. */
  close(): void {
    this.#object.close()
  }
}
