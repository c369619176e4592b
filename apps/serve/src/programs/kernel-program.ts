import { readObject } from '@vring/ebpf'
import { KernelXdpObject } from '@vring/ebpf/linux'
import type { KernelXdpProgram } from '@vring/linux'
import { addEntry, COUNTED_ENTRIES_MAX, type CountedMap, countedMaps } from './map-counts.ts'
import type { ObjectSpec } from './program-spec.ts'

/** An XDP program of an object file, in the kernel with its maps. */
export class KernelProgram {
  readonly #object: KernelXdpObject
  readonly #counted: readonly CountedMap[]

  /** Makes the object's maps and loads the program, see `KernelXdpObject.load`. */
  constructor({ bytes, program }: ObjectSpec) {
    const object = readObject(bytes)
    this.#object = KernelXdpObject.load(object, program === null ? {} : { program })
    this.#counted = countedMaps(object, this.#object.maps.keys())
  }

  get program(): KernelXdpProgram {
    return this.#object.program
  }

  /** Counters that are not zero, see `addEntry`, summed over all CPUs. */
  counts(): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const one of this.#counted) {
      const map = this.#object.maps.get(one.definition.name)!
      const keys = map.keys(COUNTED_ENTRIES_MAX + 1)
      if (keys.length > COUNTED_ENTRIES_MAX) continue
      for (const key of keys) {
        const values = map.lookup(key)
        if (values !== null) addEntry(counts, one, key, values)
      }
    }
    return counts
  }

  /** Closes program and maps; an attached program stays attached. */
  close(): void {
    this.#object.close()
  }
}
