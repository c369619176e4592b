/**
 * The libraries that every device needs, by one name; the others are subpaths. Nothing is written here: each module
 * re-exports a package.
 *
 * @packageDocumentation
 */
export * from '@vring/accessor'
export * from '@vring/iotlb'
export * from '@vring/layout'
export * from '@vring/memory'
export * from '@vring/mmu-notifier'
export * from '@vring/registry'
export * from '@vring/vhost-net'
export * from '@vring/virtqueue'
