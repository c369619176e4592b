/**
 * Typed composition of accessors and backends by name, selection with reasons, and loading of accessors that this
 * repository does not know.
 *
 * @packageDocumentation
 */
export * from './built-in.ts'
export * from './load-plugin.ts'
export * from './load-plugins.ts'
export * from './nearest-name.ts'
export * from './parse-accessor.ts'
export * from './registry.ts'
export * from './selection.ts'
