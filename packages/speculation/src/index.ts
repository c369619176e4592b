/**
 * A speculation checker: a device's round over an accessor while conditional branches are mispredicted.
 *
 * @packageDocumentation
 */
export * from './format-speculation.ts'
export * from './hostile-rings.ts'
export * from './path-search.ts'
export * from './patterns/kocher.ts'
export * from './speculate.ts'
export * from './speculate-program.ts'
export * from './speculating-cpu.ts'
export * from './speculative-space.ts'
export * from './window-probe.ts'
