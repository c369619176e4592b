import { refused } from '@vring/layout'
import { BPF_F_RDONLY_PROG, BpfMap, KernelXdpProgram, type KernelXdpProgramOptions, key32 } from '@vring/linux'
import { chooseProgram } from '../choose-program.ts'
import type { RawEbpf } from '../load-program.ts'
import type { EbpfMapDefinition } from '../maps/ebpf-map.ts'
import type { LinkedProgram } from '../object/linker.ts'
import type { ObjectMap } from '../object/map-definitions.ts'
import { type EbpfObject, readObject } from '../object/read-object.ts'
import { initialContents, type VariableValues, variablesOf } from '../object/variables.ts'

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
  readonly #owned: readonly Owned[]

  private constructor(program: KernelXdpProgram, maps: ReadonlyMap<string, BpfMap>, owned: readonly Owned[]) {
    this.program = program
    this.maps = maps
    this.#owned = owned
  }

  /**
   * Creates the maps that the program reaches, puts their descriptors into the code, and loads it. Slots that the
   * source fills are filled: maps in maps of maps, programs in arrays for tail calls.
   *
   * @param source an ELF object, one that was read already, or raw instructions
   * @throws VringError for a malformed object; ERR_UNKNOWN_NAME for the program; ERR_UNSUPPORTED when the kernel's
   * verifier refuses it, with the instruction and the reason; ERR_SYSTEM
   */
  static load(source: Uint8Array | EbpfObject | RawEbpf, options: KernelXdpObjectOptions = {}): KernelXdpObject {
    const loading = new KernelLoading('programs' in source || 'code' in source ? source : readObject(source), options)
    try {
      const { program, maps } = loading.load()
      return new KernelXdpObject(program, maps, loading.owned)
    } catch (error) {
      for (const one of loading.owned) one.close()
      throw error
    }
  }

  /**
   * Closes programs and maps; an attached program stays attached. The kernel empties an array for tail calls with its last
   * descriptor, unless it is pinned.
   */
  close(): void {
    for (const one of this.#owned) one.close()
  }
}

/** A descriptor that closing the object closes. */
interface Owned {
  close(): void
}

/** A program in the kernel, with the maps that it reaches. */
interface KernelLoaded {
  readonly program: KernelXdpProgram
  readonly maps: ReadonlyMap<string, BpfMap>
}

/** What programs of one object that are loaded together share: maps by name, and one another for tail calls. */
class KernelLoading {
  readonly owned: Owned[] = []
  readonly #object: EbpfObject | RawEbpf
  readonly #options: KernelXdpObjectOptions
  readonly #maps = new Map<string, BpfMap>()
  readonly #programs = new Map<string, KernelXdpProgram>()

  constructor(object: EbpfObject | RawEbpf, options: KernelXdpObjectOptions) {
    this.#object = object
    this.#options = options
  }

  load(): KernelLoaded {
    const { program, variables } = this.#options
    const object = this.#object
    if ('code' in object) return this.#loadLinked({ maps: [], ...object }, variables)
    return this.#loadLinked(chooseProgram(object, XDP_SECTIONS, program).link(), variables)
  }

  #loadLinked(linked: LinkedProgram, variables: VariableValues | undefined): KernelLoaded {
    const object = this.#object
    const contents = initialContents(linked.maps, variables)
    const maps = linked.maps.map((definition) => this.#map(definition, contents.get(definition.name)))
    const program = this.#keep(
      KernelXdpProgram.load({
        name: linked.name,
        instructions: withDescriptors(linked.code, maps),
        license: this.#options.license ?? ('code' in object ? undefined : object.license) ?? '',
        acceptsFragments: /^xdp\.frags(\/|$)/.test(linked.functions?.[0]?.section ?? ''),
        ...('code' in object ? {} : typesOf(object, linked)),
      }),
    )
    this.#programs.set(linked.name, program)
    for (const [number, definition] of linked.maps.entries())
      if (definition.type === 'prog-array') this.#fill(maps[number]!, definition, variables)
    return { program, maps: new Map(maps.map((map, index) => [linked.maps[index]!.name, map])) }
  }

  /** Programs that the source puts into an array for tail calls. */
  #fill(array: BpfMap, { slots = [] }: ObjectMap, variables: VariableValues = {}): void {
    for (const { index, name } of slots) {
      let program = this.#programs.get(name)
      if (program === undefined) {
        const linked = chooseProgram(this.#object as EbpfObject, XDP_SECTIONS, name).link()
        program = this.#loadLinked(linked, variablesOf(linked.maps, variables)).program
      }
      array.update(key32(index), key32(program.fd))
    }
  }

  /** The map of a definition: one that was passed in, that another program has, or a new one. */
  #map(definition: ObjectMap, contents: Uint8Array | undefined): BpfMap {
    const known = this.#options.maps?.[definition.name] ?? this.#maps.get(definition.name)
    if (known !== undefined) return known
    const map = makeMap(definition, contents, this.#options.pinFolder, (one) => this.#keep(one))
    this.#maps.set(definition.name, map)
    if (definition.type === 'prog-array') return map
    for (const { index, name } of definition.slots ?? [])
      map.update(key32(index), key32(this.#map((this.#object as EbpfObject).map(name), undefined).fd))
    return map
  }

  #keep<T extends Owned>(one: T): T {
    this.owned.push(one)
    return one
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
 * (`.bss`). A read-only one is frozen, so that the verifier knows its values. One that is pinned by name is taken from
 * the BPF file system if it is there.
 */
function makeMap(
  definition: ObjectMap,
  contents: Uint8Array | undefined,
  pinFolder: string | undefined,
  keep: (map: BpfMap) => BpfMap,
): BpfMap {
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
