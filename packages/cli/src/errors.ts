/**
 * What ends a program, without what reads its command line: for workers.
 *
 * @packageDocumentation
 */
export * from './cli-error.ts'
export * from './exit-codes.ts'
