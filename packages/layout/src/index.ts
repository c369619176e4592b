/**
 * Virtio constants, ring geometry, struct offsets and feature bits, as pure functions of the queue size.
 * No dependency, no state: every other package reads its numbers from here. Source: VirtIO 1.3.
 *
 * @packageDocumentation
 */
export * from './bpf-map-types.ts'
export * from './device-id.ts'
export * from './device-status.ts'
export * from './errno.ts'
export * from './feature-bits.ts'
export * from './feature-names.ts'
export * from './net-header.ts'
export * from './packed-ring.ts'
export * from './ring-areas.ts'
export * from './split-ring.ts'
export * from './vring-error.ts'
