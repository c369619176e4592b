/**
 * The accessor `vmap-direct`: ring metadata through a kernel mapping kept valid by MMU notifiers.
 *
 * @packageDocumentation
 */
export * from './steps.ts'
export { vmapDirect as default, vmapDirect } from './vmap-direct.ts'
