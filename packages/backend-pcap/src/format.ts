/**
 * Captures as bytes, without a file system: codec, readers, backend, source and replay over a {@link ByteSource}. Runs in a
 * browser; `@vring/backend-pcap` adds files.
 *
 * @packageDocumentation
 */
export * from './byte-source.ts'
export * from './capture.ts'
export * from './capture-reader.ts'
export * from './capture-source.ts'
export * from './gunzip-source.ts'
export * from './open-capture.ts'
export * from './pcap-backend.ts'
export * from './pcapng-encoder.ts'
export * from './pcapng-format.ts'
export * from './read-capture.ts'
export * from './replay-clock.ts'
export * from './replay-report.ts'
export * from './replay-source.ts'
export * from './replay-timeline.ts'
