/**
 * `vring-serve`: a vhost-user network device as a daemon. The program is `vring-serve`; this module is what other programs
 * need to embed it, and to read its metrics and configuration.
 *
 * @packageDocumentation
 */
export * from './config/arguments.ts'
export * from './config/backend-spec.ts'
export * from './config/config.ts'
export {
  type DaemonConfig,
  DEFAULT_MEMORY,
  type MemoryConfig,
  type MemoryFiles,
  type MetricsAddress,
  type ReplayConfig,
  type ReplayPace,
  type ServeConfig,
} from './config/serve-config.ts'
export { type DeviceSettings, parseSettings, type Settings } from './config/settings.ts'
export * from './daemon/daemon.ts'
export * from './exit-codes.ts'
export { main } from './main.ts'
export * from './serve-error.ts'
export * from './status/metrics.ts'
export * from './status/snapshot.ts'
export * from './status/status-page.ts'
