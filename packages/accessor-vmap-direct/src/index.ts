/**
 * The accessor `vmap-direct`: ring metadata through a kernel mapping that MMU notifiers keep valid.
 *
 * @packageDocumentation
 */
export * from './direct-accessor.ts'
export * from './direct-map.ts'
export * from './direct-window.ts'
export * from './steps.ts'
export * from './vmap-direct.ts'
export * from './vring-control.ts'
