/**
 * A virtio block device for a vhost-user session: requests of VirtIO 1.3 section 5.2 over a file or any other store.
 *
 * @packageDocumentation
 */
export * from './block-config.ts'
export * from './block-counters.ts'
export * from './block-device.ts'
export * from './block-request.ts'
export * from './block-store.ts'
export * from './file-store.ts'
