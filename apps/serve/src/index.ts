/**
 * `vring-serve`: a vhost-user network device as a daemon. The program is `vring-serve`; this module is what other programs
 * need to embed it, and to read its metrics and configuration.
 *
 * @packageDocumentation
 */
export * from './arguments.ts'
export * from './backend-spec.ts'
export * from './config.ts'
export * from './daemon.ts'
export * from './exit-codes.ts'
export { main } from './main.ts'
export * from './metrics.ts'
export {
  type DaemonConfig,
  DEFAULT_MEMORY,
  type MemoryConfig,
  type MemoryFiles,
  type MetricsAddress,
  type ReplayConfig,
  type ReplayPace,
  type ServeConfig,
} from './serve-config.ts'
export * from './serve-error.ts'
export { type DeviceSettings, parseSettings, type Settings } from './settings.ts'
export * from './snapshot.ts'
export * from './status-page.ts'
