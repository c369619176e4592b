/**
 * `vhost-user-conformance`: judges any vhost-user back-end as its front-end, clause by clause. The program is
 * `vhost-user-conformance`; this module is what a test needs to judge a back-end of its own.
 *
 * @packageDocumentation
 */
export * from './bench.ts'
export * from './case.ts'
export { CASES } from './cases/index.ts'
export * from './device/profile.ts'
export * from './exit-codes.ts'
export * from './judge.ts'
export * from './judge-error.ts'
export { main } from './main.ts'
export * from './report/json.ts'
export * from './report/junit.ts'
export * from './report/summary.ts'
export * from './report/terminal.ts'
export * from './select-cases.ts'
export * from './target.ts'
