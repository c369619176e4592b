/** Statistics of trials: medians with intervals, rank tests, seeded order. */
export * from './bootstrap.ts'
export * from './mann-whitney.ts'
export * from './normal.ts'
export * from './quantile.ts'
export * from './random.ts'
export { type Sample, valuesOf } from './resample-median.ts'
