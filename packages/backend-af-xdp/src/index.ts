/**
 * AF_XDP sockets as a backend: frames to and from a queue of any Linux interface. Node only, needs CAP_NET_ADMIN,
 * CAP_NET_RAW and CAP_BPF.
 *
 * @packageDocumentation
 */
export * from './af-xdp-counters.ts'
export * from './af-xdp-group.ts'
export * from './af-xdp-interface.ts'
export * from './af-xdp-queue.ts'
export * from './af-xdp-receiver.ts'
export type { AfXdpQueueOptions, AfXdpSizes } from './af-xdp-sizes.ts'
export * from './af-xdp-sockets.ts'
export * from './check-offloads.ts'
export * from './complete-checksum.ts'
export { BUSY_MS } from './open-when-free.ts'
export * from './partial-checksum.ts'
export * from './xsk-redirect.ts'
