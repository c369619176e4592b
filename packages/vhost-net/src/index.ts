/**
 * The datapath of a virtio network device: rounds over a queue, as Linux vhost-net runs them, towards a backend.
 *
 * @packageDocumentation
 */
export * from './drop-backend.ts'
export * from './frame-batch.ts'
export * from './net-backend.ts'
export * from './tx-round.ts'
export * from './xdp-backend.ts'
