/**
 * The accessor `nospec-masked`: user access that checks every address and needs no speculation barrier.
 *
 * @packageDocumentation
 */
export * from './nospec-masked.ts'
export * from './steps.ts'
