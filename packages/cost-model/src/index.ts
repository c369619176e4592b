/**
 * What a packet costs: steps per packet, counted on the real datapath, times a CPU profile fitted to the published
 * measurements of vhost metadata access. Everything it says is model output.
 *
 * @packageDocumentation
 */
export * from './claim-text.ts'
export * from './claims.ts'
export { determined, determines, type Matrix } from './elimination.ts'
export * from './evaluate-claims.ts'
export * from './fit-profiles.ts'
export * from './nnls.ts'
export * from './predict.ts'
export * from './profile.ts'
export * from './published.ts'
export * from './reference-steps.ts'
export * from './residuals.ts'
export * from './smap-share.ts'
export * from './variant.ts'
