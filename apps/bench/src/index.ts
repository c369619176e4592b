/**
 * `vring-bench`: what each way of reaching virtqueue metadata costs, measured, modelled and published side by side. The
 * program is `vring-bench`; this module is what other programs need to read its results.
 *
 * @packageDocumentation
 */
export * from './exit-codes.ts'
export { main } from './main.ts'
export * from './results/parse-results.ts'
export * from './results/results.ts'
export * from './stats/index.ts'
