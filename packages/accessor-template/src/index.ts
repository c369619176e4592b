/**
 * The accessor `template`: copies, one user access at a time. Say here in one line what your way of reaching metadata is.
 *
 * @packageDocumentation
 */
export { template as default, template } from './template.ts'
export * from './template-window.ts'
