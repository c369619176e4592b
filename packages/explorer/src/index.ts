/**
 * A schedule explorer: plain functions under every interleaving, with sequential consistency, x86 store buffers or a
 * weaker model. And a catalogue of races, each found by the shortest schedule that shows it.
 *
 * @packageDocumentation
 */
export * from './catalogue/catalogue.ts'
export * from './catalogue/catalogue-entry.ts'
export * from './exploration.ts'
export * from './explore.ts'
export * from './explored-space.ts'
export * from './explored-world.ts'
export * from './exploring-cpu.ts'
export * from './exploring-port.ts'
export * from './format-timeline.ts'
export * from './litmus/litmus-program.ts'
export * from './litmus/litmus-scenario.ts'
export * from './litmus/litmus-tests.ts'
export * from './machine.ts'
export * from './mapped-accessor.ts'
export * from './model-notifiers.ts'
export * from './model-space.ts'
export * from './operation.ts'
export * from './paged/explored-memory.ts'
export * from './paged/explored-paged-space.ts'
export * from './plugins/explore-plugin.ts'
export * from './queue-world.ts'
export * from './scenario.ts'
export * from './scenarios/index.ts'
export * from './schedulers.ts'
export type { State, Trace } from './state.ts'
