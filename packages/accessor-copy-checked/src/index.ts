/**
 * The accessor `copy-checked`: what vhost does today, one user access at a time on a range that was checked once.
 *
 * @packageDocumentation
 */
export * from './copy-checked.ts'
export * from './steps.ts'
