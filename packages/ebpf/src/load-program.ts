import { refused } from '@vring/layout'
import { chooseProgram } from './choose-program.ts'
import { compile } from './compiler/compile.ts'
import { giveWay } from './give-way.ts'
import { decodeSteps } from './isa/decode.ts'
import type { Program } from './isa/instruction.ts'
import { createMap } from './maps/create-map.ts'
import type { EbpfMap } from './maps/ebpf-map.ts'
import { isMapOfMaps } from './maps/map-of-maps.ts'
import { ProgArray } from './maps/prog-array.ts'
import type { GlobalFunction } from './object/global-function.ts'
import type { LinkedProgram } from './object/linker.ts'
import type { ObjectMap, ObjectSlot } from './object/map-definitions.ts'
import { type EbpfObject, readObject } from './object/read-object.ts'
import { initialContents, type VariableValues, variablesOf } from './object/variables.ts'
import type { ProgramType } from './program-type.ts'
import { interpret } from './runtime/interpreter.ts'
import { type EbpfEnvironment, type HookContext, Machine } from './runtime/machine.ts'
import { PROGRAM_MAPS_MAX } from './runtime/memory-region.ts'
import type { Verified, WatchVerifier } from './verifier/verified.ts'
import { verify } from './verifier/verifier.ts'

/** How a program runs. `auto`: compiled where code may be generated, interpreted elsewhere. */
export type EbpfEngine = 'auto' | 'compile' | 'interpret'

export interface LoadProgramOptions extends EbpfEnvironment {
  /** Name of the function or section to load; default: the object's only program of the type. */
  readonly program?: string
  /** Maps to use instead of new ones, by name: how programs share a map. */
  readonly maps?: Readonly<Record<string, EbpfMap>>
  /** Values of global variables, by name: configuration in `.rodata`, which the verifier then knows, and others. */
  readonly variables?: VariableValues
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
export interface EbpfProgram<C extends HookContext = HookContext> {
  readonly name: string
  /** The section of the object that it is in; of raw instructions the empty name. */
  readonly section: string
  /** No path writes to the context's memory or moves its ends. */
  readonly readOnly: boolean
  /** Its maps by name, to be read and written from outside. */
  readonly maps: ReadonlyMap<string, EbpfMap>
  readonly engine: 'compiled' | 'interpreted'
  /** Instructions that verification followed over all paths. */
  readonly verifiedInstructions: number
  /** @returns the low 32 bits of r0 */
  run(context: C): number
  /** As {@link run}, as the rest of a run that another program began: what a tail call enters, see `ProgArray`. */
  enter(context: C): number
}

/**
 * Loads an eBPF program: reads the object, creates its maps, verifies the program and compiles it. It gives way to
 * other work of the thread every 5 ms. The engine's own parser takes a long program in parts of about a thousand
 * instructions. The source is read before this returns.
 *
 * @param type what the program is given and what it may call
 * @param source an ELF object of `clang -target bpf`, or raw instructions
 * @throws VringError if the object is malformed, EbpfError naming the instruction and the reason if the program is refused
 */
export async function loadProgram<C extends HookContext>(
  type: ProgramType<C>,
  source: Uint8Array | RawEbpf,
  options: LoadProgramOptions = {},
): Promise<EbpfProgram<C>> {
  return await giveWay(loadSteps(type, source, options))
}

/** What a program is made of while it is loaded; `verified` once it is. */
export interface LoadedProgram<C extends HookContext> {
  /** The object that it comes from; null: raw instructions. */
  readonly object: EbpfObject | null
  readonly linked: LinkedProgram
  readonly code: Program
  readonly maps: readonly EbpfMap[]
  readonly machine: Machine<C>
  verified: Verified | undefined
}

/** Is shown each program before it is verified; what it returns sees each state that is followed. */
export type WatchLoading<C extends HookContext> = (program: LoadedProgram<C>) => WatchVerifier

/** {@link loadProgram} in steps: yields where the caller may do something else. */
export function* loadSteps<C extends HookContext>(
  type: ProgramType<C>,
  source: Uint8Array | RawEbpf,
  options: LoadProgramOptions,
  watch?: WatchLoading<C>,
): Generator<void, EbpfProgram<C>> {
  if ('code' in source)
    return yield* loadLinked(new Loading(type, null, options, watch), { maps: [], ...source }, options.variables)
  const object = readObject(source)
  const linked = chooseProgram(object, type, options.program).link()
  return yield* loadLinked(new Loading(type, object, options, watch), linked, options.variables)
}

/** What programs that are loaded together share: maps by name, and one another for tail calls. */
class Loading<C extends HookContext> {
  readonly type: ProgramType<C>
  readonly object: EbpfObject | null
  readonly options: LoadProgramOptions
  readonly programs = new Map<string, EbpfProgram<C>>()
  readonly watch: WatchLoading<C> | undefined
  readonly #maps = new Map<string, EbpfMap>()

  constructor(
    type: ProgramType<C>,
    object: EbpfObject | null,
    options: LoadProgramOptions,
    watch: WatchLoading<C> | undefined,
  ) {
    this.watch = watch
    this.type = type
    this.object = object
    this.options = options
  }

  /** The map of a definition: one that was passed in, that another program has, or a new one. */
  map(definition: ObjectMap, contents: Uint8Array | undefined): EbpfMap {
    const known = shared(definition, this.options) ?? this.#maps.get(definition.name)
    if (known !== undefined) return known
    const map = create(definition, contents, this.options)
    this.#maps.set(definition.name, map)
    if (isMapOfMaps(map))
      for (const { index, name } of definition.slots ?? [])
        map.setMap(index, this.map(this.object!.map(name), undefined))
    return map
  }
}

function* loadLinked<C extends HookContext>(
  loading: Loading<C>,
  linked: LinkedProgram,
  variables: VariableValues | undefined,
): Generator<void, EbpfProgram<C>> {
  const { type, options } = loading
  if (linked.maps.length > PROGRAM_MAPS_MAX)
    throw refused('ERR_OUT_OF_RANGE', 'maps of a program', linked.maps.length, `0 to ${PROGRAM_MAPS_MAX}`)
  const code = yield* decodeSteps(linked.code, linked.maps.length)
  const contents = initialContents(linked.maps, variables)
  const maps = linked.maps.map((definition) => loading.map(definition, contents.get(definition.name)))
  const machine = new Machine<C>(maps, options)
  const loaded: LoadedProgram<C> = { object: loading.object, linked, code, maps, machine, verified: undefined }
  const verified = yield* verify(type, code, maps, {
    contents: (map) => machine.frozenContents(map),
    globals: globalsOf(linked),
    watch: loading.watch?.(loaded),
  })
  loaded.verified = verified
  const compiled =
    options.engine === 'interpret' ? null : yield* tryCompile(compile(type, code, verified, machine), options)
  const program: EbpfProgram<C> = {
    name: linked.name,
    section: linked.functions?.[0]?.section ?? '',
    readOnly: verified.readOnly,
    ...(compiled ?? interpret(type, code, verified, machine)),
    maps: new Map(maps.map((map) => [map.name, map])),
    engine: compiled === null ? 'interpreted' : 'compiled',
    verifiedInstructions: verified.instructionCount,
  }
  loading.programs.set(linked.name, program)
  for (const [number, { slots = [] }] of linked.maps.entries()) {
    const array = maps[number]
    if (array instanceof ProgArray) yield* fill(loading, array, slots, variables)
  }
  return program
}

function globalsOf({ functions = [] }: LinkedProgram): ReadonlyMap<number, GlobalFunction> {
  return new Map(functions.flatMap(({ slot, declaration }) => (declaration === undefined ? [] : [[slot, declaration]])))
}

/** Programs that the source puts into an array for tail calls. */
function* fill<C extends HookContext>(
  loading: Loading<C>,
  array: ProgArray,
  slots: readonly ObjectSlot[],
  variables: VariableValues | undefined,
): Generator<void, void> {
  for (const { index, name } of slots) {
    if (array.program(index) !== undefined) continue
    const known = loading.programs.get(name)
    if (known !== undefined) array.setProgram(index, known)
    else {
      const linked = chooseProgram(loading.object!, loading.type, name).link()
      array.setProgram(index, yield* loadLinked(loading, linked, variablesOf(linked.maps, variables ?? {})))
    }
  }
}

/** A map that was passed in; it must be what the program was written for. */
function shared(definition: ObjectMap, options: LoadProgramOptions): EbpfMap | undefined {
  const map = options.maps?.[definition.name]
  if (map === undefined) return undefined
  for (const field of ['type', 'keyBytes', 'valueBytes', 'maxEntries'] as const)
    if (map[field] !== definition[field])
      throw refused('ERR_INVALID_ARGUMENT', `map ${map.name}: ${field}`, map[field], String(definition[field]))
  return map
}

function create(definition: ObjectMap, contents: Uint8Array | undefined, options: LoadProgramOptions): EbpfMap {
  const map = createMap(definition, {
    cpus: options.cpus ?? Math.max(1, (options.cpu ?? 0) + 1),
    cpu: options.cpu ?? 0,
  })
  if (contents !== undefined) map.values.set(contents)
  return map
}

/** Null where code generation is forbidden and an interpreter will do. */
function* tryCompile<T>(work: Generator<void, T>, options: LoadProgramOptions): Generator<void, T | null> {
  try {
    return yield* work
  } catch (error) {
    if (error instanceof EvalError && options.engine !== 'compile') return null
    throw error
  }
}
