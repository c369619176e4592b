/**
 * Command lines of vring's programs, over commander. They have options that are really parsed, help, refusals that name
 * the argument, what is accepted and the nearest name, and exit codes.
 *
 * @packageDocumentation
 */
export * from './arguments.ts'
export * from './cli-error.ts'
export * from './exit-codes.ts'
export * from './help.ts'
export * from './option-table.ts'
export * from './read-arguments.ts'
