/**
 * Split virtqueues (VirtIO 1.3 section 2.7) over a metadata accessor: the device side and the driver side.
 *
 * @packageDocumentation
 */
export * from './broken-reason.ts'
export * from './chain-batch.ts'
export * from './device-queue.ts'
export * from './driver-queue.ts'
export * from './guest-window.ts'
