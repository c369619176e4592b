/**
 * The operating system for vring: memory that is shared by file descriptor, sockets that carry descriptors, eventfd and
 * poll, through koffi. The only package that calls foreign functions; nothing is loaded until the first call.
 *
 * @packageDocumentation
 */
export { POLLERR, POLLHUP, POLLIN, POLLNVAL } from './abi.ts'
export * from './affinity.ts'
export * from './clock.ts'
export * from './eventfd.ts'
export * from './fd.ts'
export { unsupportedHost } from './libc.ts'
export * from './mapping.ts'
export * from './memfd.ts'
export * from './poll.ts'
export * from './process-resources.ts'
export { SCM_MAX_FD } from './rights.ts'
export * from './system-error.ts'
export * from './unix-socket.ts'
