/**
 * XDP programs: the contract between a hook and a program, the programs xdp1 and xdp2 in TypeScript, and XDP as a program
 * type of `@vring/ebpf`.
 *
 * @packageDocumentation
 */

export { EbpfError, type EbpfMap, encode, indexKeyOf, readObject } from '@vring/ebpf'
export * from './fib-table.ts'
export * from './ip-protocol.ts'
export * from './load-ebpf.ts'
export * from './protocol-counters.ts'
export * from './verdict.ts'
export * from './xdp-constant.ts'
export * from './xdp-context.ts'
export type { XdpFragment } from './xdp-fragment.ts'
export * from './xdp-program.ts'
export * from './xdp-type.ts'
export * from './xdp1.ts'
export * from './xdp2.ts'
