/**
 * XDP programs: the contract between a hook and a program, the programs xdp1 and xdp2 in TypeScript.
 *
 * @packageDocumentation
 */
export * from './ip-protocol.ts'
export * from './protocol-counters.ts'
export * from './verdict.ts'
export * from './xdp-constant.ts'
export * from './xdp-context.ts'
export * from './xdp-program.ts'
export * from './xdp1.ts'
export * from './xdp2.ts'
