/**
 * The operating system for vring: memory that is shared by file descriptor, sockets that carry descriptors, eventfd and
 * poll; TAP, rtnetlink, bpf, io_uring and AF_XDP for network devices; all through koffi. The only package that calls foreign functions; nothing is loaded until the first call.
 *
 * @packageDocumentation
 */
export { POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, RWF_NOWAIT } from './abi.ts'
export * from './affinity.ts'
export * from './bpf-instructions.ts'
export * from './bpf-map.ts'
export * from './clock.ts'
export * from './event-signaller.ts'
export * from './eventfd.ts'
export * from './fd.ts'
export * from './frame-calls.ts'
export * from './io-uring.ts'
export { unsupportedHost } from './libc.ts'
export * from './link.ts'
export * from './machine-code.ts'
export * from './mapping.ts'
export * from './memfd.ts'
export * from './native-address.ts'
export * from './netns.ts'
export * from './poll.ts'
export * from './process-resources.ts'
export * from './resolve-package.ts'
export { SCM_MAX_FD } from './rights.ts'
export * from './system-error.ts'
export * from './timer-fd.ts'
export * from './tun.ts'
export * from './unix-socket.ts'
export * from './xdp-program.ts'
export * from './xdp-ring.ts'
export * from './xdp-socket.ts'
