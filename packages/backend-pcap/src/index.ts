/**
 * Capture files as backend and as source: frames that a driver sends go to pcapng, recorded traffic comes back from
 * pcapng or pcap.
 *
 * @packageDocumentation
 */
export * from './capture.ts'
export * from './capture-file.ts'
export * from './capture-source.ts'
export * from './pcap-backend.ts'
export * from './pcapng-encoder.ts'
export * from './pcapng-format.ts'
export * from './read-capture.ts'
export * from './replay-source.ts'
