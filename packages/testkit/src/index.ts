/**
 * Tools that prove accessors: conformance suites and the mutants that prove the suites, a speculation checker, and a
 * schedule explorer.
 *
 * @packageDocumentation
 */
export * from './speculate/format-speculation.ts'
export * from './speculate/hostile-rings.ts'
export * from './speculate/speculate.ts'
export * from './speculate/speculating-cpu.ts'
export * from './speculate/speculative-space.ts'
