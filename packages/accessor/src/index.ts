/**
 * The plugin contract of vring: an accessor is one way for a device to reach the metadata of one virtqueue.
 *
 * @packageDocumentation
 */
export * from './access-counters.ts'
export * from './accessor.ts'
export * from './copy-window.ts'
export * from './counting-cpu.ts'
export * from './cpu.ts'
export * from './define-accessor.ts'
export * from './plain-cpu.ts'
export * from './unchecked-user.ts'
export * from './user-access.ts'
export * from './user-copy.ts'
export * from './window.ts'
