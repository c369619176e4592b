/**
 * The plugin contract of vring: an accessor is one way for a device to reach the metadata of one virtqueue.
 *
 * @packageDocumentation
 */
export * from './access-counters.ts'
export * from './accessor.ts'
export * from './accessor-options.ts'
export * from './checked-user.ts'
export * from './copy-accessor.ts'
export * from './copy-window.ts'
export * from './counting-cpu.ts'
export * from './cpu.ts'
export * from './define-accessor.ts'
export * from './era.ts'
export * from './one-by-one-cpu.ts'
export * from './plain-chains.ts'
export * from './plain-cpu.ts'
export * from './record-steps.ts'
export * from './recording-cpu.ts'
export * from './resolve-options.ts'
export * from './shadow-accessor.ts'
export * from './steps.ts'
export * from './trace-accessor.ts'
export * from './unchecked-user.ts'
export * from './user-access.ts'
export * from './user-copy.ts'
export * from './user-steps.ts'
export * from './window.ts'
