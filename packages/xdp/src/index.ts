/**
 * XDP programs: the contract between a hook and a program, the programs xdp1 and xdp2 in TypeScript, and eBPF objects
 * loaded, verified and compiled to JavaScript.
 *
 * @packageDocumentation
 */

export { decode } from './ebpf/decode.ts'
export { disassemble } from './ebpf/disassemble.ts'
export { EbpfError } from './ebpf/ebpf-error.ts'
export { encode } from './ebpf/encode.ts'
export type { Instruction } from './ebpf/instruction.ts'
export type { EbpfEnvironment } from './ebpf/machine.ts'
export * from './ip-protocol.ts'
export * from './load-ebpf.ts'
export { ArrayMap } from './maps/array-map.ts'
export { indexKeyOf } from './maps/base-map.ts'
export * from './maps/create-map.ts'
export * from './maps/ebpf-map.ts'
export { HashMap } from './maps/hash-map.ts'
export { LruHashMap } from './maps/lru-hash-map.ts'
export { RedirectTable } from './maps/redirect-table.ts'
export type { ObjectMap } from './object/map-definitions.ts'
export { type EbpfObject, type ObjectProgram, readObject } from './object/read-object.ts'
export * from './protocol-counters.ts'
export * from './verdict.ts'
export { VERIFIED_INSTRUCTIONS_MAX } from './verifier/verifier.ts'
export * from './xdp-constant.ts'
export * from './xdp-context.ts'
export * from './xdp-program.ts'
export * from './xdp1.ts'
export * from './xdp2.ts'
