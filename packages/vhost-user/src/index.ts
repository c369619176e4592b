/**
 * vhost-user: the protocol as a table, and the device's end of a connection as a session that never throws. Also the
 * worker's loop around it, and a frontend for tests.
 *
 * @packageDocumentation
 */

export * from './device/device-request.ts'
export * from './device/packed-base.ts'
export * from './device/request-queue.ts'
export * from './device/ring-log.ts'
export * from './frontend/driver-ring.ts'
export * from './frontend/frontend.ts'
export * from './frontend/frontend-memory.ts'
export type { FrontendReplies, FrontendRequest } from './frontend/frontend-requests.ts'
export * from './frontend/vhost-user-driver.ts'
export * from './host/linux-host.ts'
export * from './protocol.ts'
export * from './threads/followed-memory.ts'
export * from './threads/followed-session.ts'
export type { SharedMemory, SharedMemoryChange, SharedRegion, SharedWindow } from './threads/shared-memory.ts'
export * from './threads/shared-out-device.ts'
export * from './threads/thread-command.ts'
export * from './threads/thread-link.ts'
export * from './worker/endpoint.ts'
export * from './worker/run-worker.ts'
export * from './worker/serve-vhost-user.ts'
export type { ServedPath } from './worker/served-paths.ts'
export * from './worker/worker.ts'
export { ANSWER_US, type VhostUserWorkerOptions } from './worker/worker-options.ts'
export * from './worker/worker-session.ts'
