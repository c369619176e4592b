/**
 * eBPF in TypeScript: objects of clang and raw instructions, verified by the rules of Linux, compiled to JavaScript or
 * interpreted, with maps and helpers. What a program is given is its program type.
 *
 * @packageDocumentation
 */

export { chooseProgram, type ProgramSections } from './choose-program.ts'
export { BASE_HELPERS } from './helpers/base-helpers.ts'
export { CSUM_DIFF } from './helpers/csum-diff.ts'
export { EVENT_HELPERS } from './helpers/event-helpers.ts'
export * from './helpers/helper.ts'
export { helperName } from './helpers/helper-names.ts'
export { LOOP_HELPERS } from './helpers/loop-helpers.ts'
export { MAP_HELPERS } from './helpers/map-helpers.ts'
export { TAIL_CALL } from './helpers/tail-call.ts'
export { decode } from './isa/decode.ts'
export { disassemble } from './isa/disassemble.ts'
export { EbpfError } from './isa/ebpf-error.ts'
export { encode } from './isa/encode.ts'
export { type Instruction, type Program, STACK_BYTES } from './isa/instruction.ts'
export {
  type EbpfEngine,
  type EbpfProgram,
  type LoadProgramOptions,
  loadProgram,
  type RawEbpf,
} from './load-program.ts'
export { ArrayMap } from './maps/array-map.ts'
export { indexKeyOf } from './maps/base-map.ts'
export * from './maps/create-map.ts'
export { DeviceHash } from './maps/device-hash.ts'
export * from './maps/ebpf-map.ts'
export { HashMap } from './maps/hash-map.ts'
export { LpmTrie } from './maps/lpm-trie.ts'
export { LruHashMap } from './maps/lru-hash-map.ts'
export { ArrayOfMaps, HashOfMaps, isMapOfMaps, type MapOfMaps } from './maps/map-of-maps.ts'
export * from './maps/map-types.ts'
export { PerfEventArray } from './maps/perf-events.ts'
export { ProgArray, type TailTarget } from './maps/prog-array.ts'
export { RedirectTable } from './maps/redirect-table.ts'
export type { RedirectTargets } from './maps/redirect-targets.ts'
export { RingBuffer } from './maps/ring-buffer.ts'
export { type IntegerField, readInteger } from './object/integer-field.ts'
export type { LinkedProgram } from './object/linker.ts'
export type { ObjectMap, ObjectSlot, ObjectVariable } from './object/map-definitions.ts'
export type { MapLayout } from './object/map-layout.ts'
export { type EbpfObject, type ObjectProgram, readObject } from './object/read-object.ts'
export type { SectionLines, SourceLine } from './object/source-lines.ts'
export { initialContents, type VariableValues } from './object/variables.ts'
export * from './program-type.ts'
export * from './raw-program.ts'
export { type EbpfEnvironment, type HookContext, Machine } from './runtime/machine.ts'
export {
  type MemoryRegion,
  REGION_MAP_OBJECTS,
  REGION_MAP_VALUES,
  REGION_PACKET,
  REGION_STACK,
} from './runtime/memory-region.ts'
export {
  type KnownRegister,
  loadStepper,
  type ProgramStepper,
  type SteppedAccess,
  type SteppedInstruction,
} from './stepper.ts'
export { VERIFIED_INSTRUCTIONS_MAX } from './verifier/verifier.ts'
