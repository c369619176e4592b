/**
 * A TAP with an XDP hook, in process: no kernel, no privilege, runs in a browser. Linux TAPs are in
 * `@vring/backend-tap/linux`.
 *
 * @packageDocumentation
 */
export * from './drop-counters.ts'
export * from './frame-target.ts'
export * from './net-header.ts'
export * from './tap-counters.ts'
export * from './tap-device.ts'
export * from './tap-peer.ts'
export * from './tap-queue.ts'
