/**
 * Virtqueues of both formats (VirtIO 1.3 sections 2.7 and 2.8) over a metadata accessor: the device side and the driver
 * side.
 *
 * @packageDocumentation
 */
export * from './broken-reason.ts'
export * from './chain-batch.ts'
export * from './create-queue.ts'
export * from './device-queue.ts'
export * from './driver-queue.ts'
export * from './encode-indirect-table.ts'
export * from './guest-window.ts'
export { PackedDeviceQueue } from './packed/packed-device-queue.ts'
export { PackedDriverQueue } from './packed/packed-driver-queue.ts'
export { SplitDeviceQueue } from './split/split-device-queue.ts'
export { SplitDriverQueue } from './split/split-driver-queue.ts'
