/**
 * Conformance of network backends: every property that `NetBackend` and `FrameSource` of `@vring/vhost-net` promise, as a
 * named case, and the mutants that prove the cases.
 *
 * @packageDocumentation
 */
export * from './backend-cases.ts'
export * from './mutants.ts'
export * from './net-case.ts'
export * from './net-conformance.ts'
export * from './source-cases.ts'
