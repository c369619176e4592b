import { type EbpfObject, type ObjectMap, type ObjectProgram, readObject } from '@vring/ebpf'
import { refused } from '@vring/layout'
import { BPF_F_RDONLY_PROG, BpfMap, KernelXdpProgram, key32 } from '@vring/linux'

/** A 64-bit immediate, two slots of 8 bytes; its source register says what the immediate means. RFC 9669 section 5.4. */
const OPCODE_LD_IMM64 = 0x18
const SOURCE_MAP = 1
const SOURCE_MAP_VALUE = 2
const SLOT_BYTES = 8

export interface KernelXdpObjectOptions {
  /** Name of the function or section; default: the object's only program. */
  readonly program?: string
  /** Default: what the object says in its section `license`. The kernel keeps some helpers for `GPL`. */
  readonly license?: string
}

/** A compiled program (`clang -target bpf`) with its maps, in the kernel. */
export class KernelXdpObject {
  readonly program: KernelXdpProgram
  /** Its maps by name, to be read and written from here. */
  readonly maps: ReadonlyMap<string, BpfMap>

  private constructor(program: KernelXdpProgram, maps: ReadonlyMap<string, BpfMap>) {
    this.program = program
    this.maps = maps
  }

  /**
   * Creates the maps, puts their descriptors into the code, and loads it.
   *
   * @param source an ELF object, or one that was read already
   * @throws VringError for a malformed object; ERR_UNKNOWN_NAME for the program; ERR_UNSUPPORTED when the kernel's
   * verifier refuses it, with the instruction and the reason; ERR_SYSTEM
   */
  static load(source: Uint8Array | EbpfObject, options: KernelXdpObjectOptions = {}): KernelXdpObject {
    const object = 'programs' in source ? source : readObject(source)
    const { name, code } = choose(object.programs, options.program)
    const maps: BpfMap[] = []
    try {
      for (const map of object.maps) maps.push(createMap(map))
      const program = KernelXdpProgram.load({
        name,
        instructions: withDescriptors(code, maps),
        license: options.license ?? object.license ?? '',
      })
      return new KernelXdpObject(program, new Map(maps.map((map, index) => [object.maps[index]!.name, map])))
    } catch (error) {
      for (const map of maps) map.close()
      throw error
    }
  }

  /** Closes program and maps; an attached program stays attached. */
  close(): void {
    this.program.close()
    for (const map of this.maps.values()) map.close()
  }
}

function choose(programs: readonly ObjectProgram[], wanted: string | undefined): ObjectProgram {
  const found = programs.filter(({ name, section }) => wanted === undefined || name === wanted || section === wanted)
  if (found.length === 1) return found[0]!
  const names = programs.map(({ name }) => name).join(', ')
  throw refused(
    'ERR_UNKNOWN_NAME',
    'program',
    wanted ?? 'not given',
    names === '' ? 'none: the object has no program' : `one of ${names}`,
  )
}

/**
 * A map of the object. A section of global variables starts with its contents, and with zeros where the object has none
 * (`.bss`); a read-only one is frozen, so that the verifier knows its values.
 */
function createMap({ type, name, keyBytes, valueBytes, maxEntries, flags = 0, readOnly, initial }: ObjectMap): BpfMap {
  const map = BpfMap.create({
    type,
    name,
    keySize: keyBytes,
    valueSize: valueBytes,
    maxEntries,
    flags: readOnly === true ? flags | BPF_F_RDONLY_PROG : flags,
  })
  if (initial === undefined) return map
  const value = new Uint8Array(valueBytes)
  value.set(initial)
  try {
    map.update(key32(0), value)
    if (readOnly === true) map.freeze()
  } catch (error) {
    map.close()
    throw error
  }
  return map
}

/** The code with descriptors in the place of map numbers. */
export function withDescriptors(code: Uint8Array, maps: readonly { readonly fd: number }[]): Uint8Array {
  const linked = new Uint8Array(code)
  const view = new DataView(linked.buffer)
  for (let at = 0; at < linked.length; at += SLOT_BYTES) {
    if (linked[at] !== OPCODE_LD_IMM64) continue
    const source = linked[at + 1]! >> 4
    if (source === SOURCE_MAP || source === SOURCE_MAP_VALUE) {
      const map = maps[view.getUint32(at + 4, true)]
      if (map === undefined)
        throw refused(
          'ERR_OUT_OF_RANGE',
          `instruction ${at / SLOT_BYTES}: map`,
          view.getUint32(at + 4, true),
          `0 to ${maps.length - 1}`,
        )
      view.setInt32(at + 4, map.fd, true)
    }
    // Its second slot is no instruction of its own.
    at += SLOT_BYTES
  }
  return linked
}
