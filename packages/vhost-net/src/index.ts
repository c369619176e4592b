/**
 * The datapath of a virtio network device: rounds over a queue, as Linux vhost-net runs them, towards a backend.
 *
 * @packageDocumentation
 */
export * from './backend-plugin.ts'
export * from './drop-backend.ts'
export * from './frame-batch.ts'
export * from './frame-queue.ts'
export * from './frame-source.ts'
export * from './frame-totals.ts'
export * from './loopback-backend.ts'
export * from './net-backend.ts'
export * from './round.ts'
export * from './rx-round.ts'
export * from './tx-round.ts'
export * from './xdp-backend.ts'
