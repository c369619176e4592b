/**
 * Tools that prove accessors: conformance suites and the mutants that prove the suites, a speculation checker, and a
 * schedule explorer.
 *
 * @packageDocumentation
 */
export * from './conformance/accessor-conformance.ts'
export * from './conformance/conformance-case.ts'
export * from './explore/index.ts'
export * from './mutants/kill-table.ts'
export * from './mutants/mutant.ts'
export * from './speculate/format-speculation.ts'
export * from './speculate/hostile-rings.ts'
export * from './speculate/speculate.ts'
export * from './speculate/speculating-cpu.ts'
export * from './speculate/speculative-space.ts'
export * from './world/world.ts'
export * from './world/world-driver.ts'
