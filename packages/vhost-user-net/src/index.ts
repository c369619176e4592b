/**
 * A virtio network device for a vhost-user session. It has queue pairs whose metadata an accessor plugin reaches,
 * transmit rounds towards a backend, receive rounds from a source of frames.
 *
 * @packageDocumentation
 */
export * from './control-queue.ts'
export * from './net-device.ts'
export * from './net-queue.ts'
export * from './net-queue-report.ts'
