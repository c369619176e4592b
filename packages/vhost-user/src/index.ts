/**
 * vhost-user: the protocol as a table, the device's end of a connection as a session that never throws, the worker's
 * loop around it, and a frontend for tests.
 *
 * @packageDocumentation
 */
export * from './backend-channel.ts'
export * from './backend-session.ts'
export * from './decode-message.ts'
export * from './device.ts'
export * from './endpoint.ts'
export * from './frontend.ts'
export * from './frontend-memory.ts'
export * from './header.ts'
export * from './linux-host.ts'
export * from './message-reader.ts'
export * from './messages.ts'
export * from './payload.ts'
export * from './protocol-features.ts'
export * from './report-fault.ts'
export * from './serve-vhost-user.ts'
export * from './session-host.ts'
export * from './session-memory.ts'
export * from './session-vring.ts'
export * from './transport.ts'
export * from './worker.ts'
