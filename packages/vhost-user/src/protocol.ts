/**
 * The protocol without the operating system: messages, codec, and the device's end of a connection as a state machine over a
 * {@link SessionHost}. Runs in a browser; `@vring/vhost-user` adds sockets, memory and a worker.
 *
 * @packageDocumentation
 */

export * from './device/device.ts'
export * from './host/session-host.ts'
export { INFLIGHT_VERSION } from './inflight/inflight-area.ts'
export * from './inflight/inflight-packed.ts'
export * from './inflight/inflight-split.ts'
export * from './inflight/session-inflight.ts'
export * from './messages/decode-message.ts'
export * from './messages/header.ts'
export * from './messages/message-reader.ts'
export * from './messages/messages.ts'
export * from './messages/payload.ts'
export * from './messages/protocol-features.ts'
export * from './messages/transport.ts'
export * from './report-fault.ts'
export * from './session/backend-channel.ts'
export * from './session/backend-session.ts'
export * from './session/backend-session-options.ts'
export type { Refusal } from './session/refusal.ts'
export * from './session/session-memory.ts'
export * from './session/session-vring.ts'
