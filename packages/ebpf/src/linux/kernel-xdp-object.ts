import { refused } from '@vring/layout'
import { BPF_F_RDONLY_PROG, BpfMap, KernelXdpProgram, type KernelXdpProgramOptions, key32 } from '@vring/linux'
import { chooseProgram } from '../choose-program.ts'
import type { RawEbpf } from '../load-program.ts'
import type { EbpfMapDefinition } from '../maps/ebpf-map.ts'
import type { LinkedProgram } from '../object/linker.ts'
import type { ObjectMap } from '../object/map-definitions.ts'
import { type EbpfObject, readObject } from '../object/read-object.ts'
import { initialContents, type VariableValues } from '../object/variables.ts'

/** A 64-bit immediate, two slots of 8 bytes; its source register says what the immediate means. RFC 9669 section 5.4. */
const OPCODE_LD_IMM64 = 0x18
const SOURCE_MAP = 1
const SOURCE_MAP_VALUE = 2
const SLOT_BYTES = 8

export interface KernelXdpObjectOptions {
  /** Name of the function or section; default: the object's only XDP program. */
  readonly program?: string
  /** Default: what the object says in its section `license`. The kernel keeps some helpers for `GPL`. */
  readonly license?: string
  /** Values of global variables, by name. */
  readonly variables?: VariableValues
  /**
   * A folder of the BPF file system, such as `/sys/fs/bpf`: maps that are pinned by name are taken from there, and put there
   * first. Default: the object has them for itself.
   */
  readonly pinFolder?: string
  /** Maps to use instead of new ones, by name: how programs share a map. The caller closes them. */
  readonly maps?: Readonly<Record<string, BpfMap>>
}

const XDP_SECTIONS = { name: 'XDP', ownsSection: (section: string): boolean => section.startsWith('xdp') }

/** A compiled program (`clang -target bpf`) with its maps, in the kernel. */
export class KernelXdpObject {
  readonly program: KernelXdpProgram
  /** Its maps by name, to be read and written from here. */
  readonly maps: ReadonlyMap<string, BpfMap>
  readonly #owned: readonly BpfMap[]

  private constructor(program: KernelXdpProgram, maps: ReadonlyMap<string, BpfMap>, owned: readonly BpfMap[]) {
    this.program = program
    this.maps = maps
    this.#owned = owned
  }

  /**
   * Creates the maps that the program reaches, puts their descriptors into the code, and loads it.
   *
   * @param source an ELF object, one that was read already, or raw instructions
   * @throws VringError for a malformed object; ERR_UNKNOWN_NAME for the program; ERR_UNSUPPORTED when the kernel's
   * verifier refuses it, with the instruction and the reason; ERR_SYSTEM
   */
  static load(source: Uint8Array | EbpfObject | RawEbpf, options: KernelXdpObjectOptions = {}): KernelXdpObject {
    const object = 'programs' in source || 'code' in source ? source : readObject(source)
    const linked =
      'code' in object ? { maps: [], ...object } : chooseProgram(object, XDP_SECTIONS, options.program).link()
    const license = options.license ?? ('code' in object ? undefined : object.license) ?? ''
    const contents = initialContents(linked.maps, options.variables)
    const owned: BpfMap[] = []
    try {
      const maps = linked.maps.map((definition) => {
        const given = options.maps?.[definition.name]
        if (given !== undefined) return given
        return makeMap(definition, contents.get(definition.name), options.pinFolder, owned)
      })
      const program = KernelXdpProgram.load({
        name: linked.name,
        instructions: withDescriptors(linked.code, maps),
        license,
        acceptsFragments: /^xdp\.frags(\/|$)/.test(linked.functions?.[0]?.section ?? ''),
        ...('code' in object ? {} : typesOf(object, linked)),
      })
      return new KernelXdpObject(program, new Map(maps.map((map, index) => [linked.maps[index]!.name, map])), owned)
    } catch (error) {
      for (const map of owned) map.close()
      throw error
    }
  }

  /** Closes program and maps; an attached program stays attached. */
  close(): void {
    this.program.close()
    for (const map of this.#owned) map.close()
  }
}

/** Types of the functions, where there are several: what helpers call, and which are global, tells their types. */
function typesOf(object: EbpfObject, { functions = [] }: LinkedProgram): Pick<KernelXdpProgramOptions, 'types'> {
  if (functions.length < 2) return {}
  const info = object.typeInfo()
  if (info === undefined) return {}
  const types = functions.flatMap(({ slot, section, offset }) => {
    const type = info.functionType(section, offset)
    return type === undefined ? [] : [{ instruction: slot, type }]
  })
  return types.length === functions.length ? { types: { btf: info.btf, functions: types } } : {}
}

/**
 * A map of the object. A section of global variables starts with its contents, and with zeros where the object has none
 * (`.bss`); a read-only one is frozen, so that the verifier knows its values. One that is pinned by name is taken
 * from the BPF file system if it is there.
 */
function makeMap(
  definition: ObjectMap,
  contents: Uint8Array | undefined,
  pinFolder: string | undefined,
  owned: BpfMap[],
): BpfMap {
  const keep = (map: BpfMap): BpfMap => {
    owned.push(map)
    return map
  }
  const path =
    pinFolder !== undefined && definition.pinning === 'by-name' ? `${pinFolder}/${definition.name}` : undefined
  const options = kernelOptions(definition)
  const known = path === undefined ? null : BpfMap.pinned(path, options)
  if (known !== null) return keep(known)
  const inner = definition.inner === undefined ? undefined : keep(BpfMap.create(kernelOptions(definition.inner)))
  const map = keep(BpfMap.create(inner === undefined ? options : { ...options, inner }))
  if (contents !== undefined) {
    map.update(key32(0), contents)
    if (definition.readOnly === true) map.freeze()
  }
  if (path !== undefined) map.pin(path)
  return map
}

function kernelOptions({
  type,
  name,
  keyBytes,
  valueBytes,
  maxEntries,
  flags = 0,
  readOnly,
}: EbpfMapDefinition): BpfMap['options'] {
  return {
    type,
    name,
    keySize: keyBytes,
    valueSize: valueBytes,
    maxEntries,
    flags: readOnly === true ? flags | BPF_F_RDONLY_PROG : flags,
  }
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
