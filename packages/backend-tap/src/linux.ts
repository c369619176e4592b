/**
 * Linux TAP devices for vring. Node only, needs CAP_NET_ADMIN; the device in process is `@vring/backend-tap`.
 *
 * @packageDocumentation
 */
export * from './linux/counting-xdp.ts'
export type { TapIo } from './linux/frame-sender.ts'
export * from './linux/linux-tap.ts'
export * from './linux/linux-tap-queue.ts'
export type { TapQueueHandle } from './linux/tap-queue-handle.ts'
export type { TapQueueCounters } from './tap-counters.ts'
