/**
 * The protocol without the operating system: messages, codec, and the device's end of a connection as a state machine over a
 * {@link SessionHost}. Runs in a browser; `@vring/vhost-user` adds sockets, memory and a worker.
 *
 * @packageDocumentation
 */
export * from './backend-channel.ts'
export * from './backend-session.ts'
export * from './backend-session-options.ts'
export * from './decode-message.ts'
export * from './device.ts'
export * from './header.ts'
export * from './inflight-packed.ts'
export * from './inflight-split.ts'
export * from './message-reader.ts'
export * from './messages.ts'
export * from './payload.ts'
export * from './protocol-features.ts'
export type { Refusal } from './refusal.ts'
export * from './report-fault.ts'
export * from './session-host.ts'
export * from './session-inflight.ts'
export * from './session-memory.ts'
export * from './session-vring.ts'
export * from './transport.ts'
