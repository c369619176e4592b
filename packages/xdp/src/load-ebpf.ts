import { refused } from '@vring/layout'
import { compile } from './compiler/compile.ts'
import { decode } from './ebpf/decode.ts'
import { interpret } from './ebpf/interpreter.ts'
import { type EbpfEnvironment, Machine } from './ebpf/machine.ts'
import { PROGRAM_MAPS_MAX } from './ebpf/memory-region.ts'
import { createMap } from './maps/create-map.ts'
import type { EbpfMap } from './maps/ebpf-map.ts'
import type { ObjectMap } from './object/map-definitions.ts'
import { type EbpfObject, type ObjectProgram, readObject } from './object/read-object.ts'
import { verify } from './verifier/verifier.ts'
import type { XdpProgram } from './xdp-program.ts'

/** How a program runs. `auto`: compiled where code may be generated, interpreted elsewhere. */
export type EbpfEngine = 'auto' | 'compile' | 'interpret'

export interface LoadEbpfOptions extends EbpfEnvironment {
  /** Name of the function or section to load; default: the object's only program. */
  readonly program?: string
  /** Maps to use instead of new ones, by name: how programs share a map. */
  readonly maps?: Readonly<Record<string, EbpfMap>>
  /** Copies of per-CPU arrays; default 1. `cpu` says which one the program sees. */
  readonly cpus?: number
  /** Default `auto`. */
  readonly engine?: EbpfEngine
}

/** Raw instructions with the maps that their 64-bit immediates name by number. */
export interface RawEbpf {
  readonly name: string
  /** Little-endian slots of 8 bytes. */
  readonly code: Uint8Array
  readonly maps?: readonly ObjectMap[]
}

/** A verified eBPF program, ready for a hook. */
export interface EbpfProgram extends XdpProgram {
  /** Its maps by name, to be read and written from outside. */
  readonly maps: ReadonlyMap<string, EbpfMap>
  readonly engine: 'compiled' | 'interpreted'
  /** Instructions that verification followed over all paths. */
  readonly verifiedInstructions: number
}

/**
 * Loads an eBPF program for XDP: reads the object, creates its maps, verifies the program and compiles it.
 *
 * @param source an ELF object of `clang -target bpf`, or raw instructions
 * @throws VringError if the object is malformed, EbpfError naming the instruction and the reason if the program is refused
 */
export function loadEbpf(source: Uint8Array | RawEbpf, options: LoadEbpfOptions = {}): EbpfProgram {
  const object = 'code' in source ? rawObject(source) : readObject(source)
  const { name, code } = choose(object, options.program)
  if (object.maps.length > PROGRAM_MAPS_MAX)
    throw refused('ERR_OUT_OF_RANGE', 'maps of a program', object.maps.length, `0 to ${PROGRAM_MAPS_MAX}`)
  const program = decode(code, object.maps.length)
  const maps = object.maps.map((definition) => shared(definition, options) ?? create(definition, options))
  const verified = verify(program, maps)
  const machine = new Machine(maps, options)
  const compiled =
    options.engine === 'interpret' ? null : tryCompile(() => compile(program, verified, machine), options)
  return {
    name,
    readOnly: verified.readOnly,
    run: compiled ?? interpret(program, verified, machine),
    maps: new Map(maps.map((map) => [map.name, map])),
    engine: compiled === null ? 'interpreted' : 'compiled',
    verifiedInstructions: verified.instructionCount,
  }
}

function rawObject({ name, code, maps = [] }: RawEbpf): EbpfObject {
  return { maps, programs: [{ name, section: 'xdp', code }] }
}

function choose({ programs }: EbpfObject, wanted: string | undefined): ObjectProgram {
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

/** A map that was passed in; it must be what the program was written for. */
function shared(definition: ObjectMap, options: LoadEbpfOptions): EbpfMap | undefined {
  const map = options.maps?.[definition.name]
  if (map === undefined) return undefined
  for (const field of ['type', 'keyBytes', 'valueBytes', 'maxEntries'] as const)
    if (map[field] !== definition[field])
      throw refused('ERR_INVALID_ARGUMENT', `map ${map.name}: ${field}`, map[field], String(definition[field]))
  return map
}

function create(definition: ObjectMap, options: LoadEbpfOptions): EbpfMap {
  const map = createMap(definition, {
    cpus: options.cpus ?? Math.max(1, (options.cpu ?? 0) + 1),
    cpu: options.cpu ?? 0,
  })
  if (definition.initial !== undefined) map.values.set(definition.initial)
  return map
}

/** Null where code generation is forbidden and an interpreter will do. */
function tryCompile<T>(make: () => T, options: LoadEbpfOptions): T | null {
  try {
    return make()
  } catch (error) {
    if (error instanceof EvalError && options.engine !== 'compile') return null
    throw error
  }
}
