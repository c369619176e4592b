/**
 * Conformance of accessors: every property that the contract of `@vring/accessor` promises, as a named case, and the
 * mutants that prove the cases.
 *
 * @packageDocumentation
 */
export * from './about.ts'
export * from './accessor-conformance.ts'
export * from './conformance-case.ts'
export * from './mutants/kill-table.ts'
export * from './mutants/mutant.ts'
