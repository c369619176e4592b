import { readFileSync } from 'node:fs'
import { VringError } from '@vring/layout'
import { BpfMap, KernelXdpProgram, key32 } from '@vring/linux'
import { type EbpfObject, readObject } from '@vring/xdp'

/** BPF_LD | BPF_DW | BPF_IMM: two slots; its source register says what the immediate is. RFC 9669 section 5.4. */
const OPCODE_LD_IMM64 = 0x18
const SOURCE_MAP = 1
const SOURCE_MAP_VALUE = 2
const SLOT_BYTES = 8
/** Maps with more entries are not read for metrics. */
export const COUNTED_ENTRIES_MAX = 4096

/** The object of `xdp1`: counts frames by IP protocol in `rxcnt`, and drops them. */
export function readXdp1(): Uint8Array {
  return new Uint8Array(readFileSync(new URL('../programs/xdp1.o', import.meta.url)))
}

interface NamedMap {
  readonly name: string
  readonly map: BpfMap
}

/** An XDP program of an object file, in the kernel with its maps. */
export class KernelProgram {
  readonly program: KernelXdpProgram
  readonly #maps: readonly NamedMap[]

  private constructor(program: KernelXdpProgram, maps: readonly NamedMap[]) {
    this.program = program
    this.#maps = maps
  }

  /**
   * Makes the object's maps and loads its only program. Nothing is left behind when it fails.
   *
   * @throws VringError ERR_INVALID_ARGUMENT for a malformed object or one with several programs; ERR_UNSUPPORTED when the
   * kernel's verifier refuses it, saying which instruction and why; ERR_SYSTEM: EPERM
   */
  static load(object: EbpfObject): KernelProgram {
    const [source, ...others] = object.programs
    if (source === undefined || others.length > 0)
      throw new VringError(
        'ERR_INVALID_ARGUMENT',
        `the object has ${object.programs.length} programs (${object.programs.map(({ name }) => name).join(', ')}); accepted: 1`,
        { field: 'program' },
      )
    const maps: NamedMap[] = []
    try {
      for (const { name, type, keyBytes, valueBytes, maxEntries, initial } of object.maps) {
        const map = BpfMap.create({ type, name, keySize: keyBytes, valueSize: valueBytes, maxEntries })
        maps.push({ name, map })
        if (initial !== undefined) map.update(key32(0), initial)
      }
      const instructions = withMapFds(
        source.code,
        maps.map(({ map }) => map.fd),
      )
      return new KernelProgram(KernelXdpProgram.load({ name: source.name, instructions }), maps)
    } catch (error) {
      for (const { map } of maps) map.close()
      throw error
    }
  }

  /** Counters that are not zero, `rxcnt[17]`: 64-bit values of its arrays, summed over all CPUs. */
  counts(): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const { name, map } of this.#maps) {
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
    this.program.close()
    for (const { map } of this.#maps) map.close()
  }
}

/** Reads an object and loads it, see {@link KernelProgram.load}. */
export function loadKernelProgram(bytes: Uint8Array): KernelProgram {
  return KernelProgram.load(readObject(bytes))
}

/** Linked code names maps by their number in the object; the kernel takes their descriptors. */
export function withMapFds(code: Uint8Array, fds: readonly number[]): Uint8Array {
  const patched = code.slice()
  const view = new DataView(patched.buffer)
  for (let at = 0; at < patched.length; at += SLOT_BYTES) {
    if (patched[at] !== OPCODE_LD_IMM64) continue
    const source = patched[at + 1]! >>> 4
    if (source === SOURCE_MAP || source === SOURCE_MAP_VALUE) {
      const fd = fds[view.getUint32(at + 4, true)]
      if (fd === undefined) throw new VringError('ERR_INVALID_ARGUMENT', `instruction ${at / SLOT_BYTES}: no such map`)
      view.setUint32(at + 4, fd, true)
    }
    at += SLOT_BYTES
  }
  return patched
}
