/**
 * Address spaces for virtqueue devices: what a device's accessor and datapath need of memory, and two providers of it, a
 * page-table model and mapped real memory.
 *
 * @packageDocumentation
 */
export * from './address-map.ts'
export * from './dirty-log.ts'
export * from './guest-map.ts'
export * from './mapped-space.ts'
export * from './memory-view.ts'
export * from './page-size.ts'
export * from './user-space.ts'
