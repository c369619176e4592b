/** What a device has done since it was made. */
export interface BlockCounters {
  reads: number
  writes: number
  flushes: number
  discards: number
  zeroes: number
  readBytes: number
  writtenBytes: number
  /** Requests that were answered with an error. */
  errors: number
  /** Requests without room for a status: given back with nothing written. */
  malformed: number
}
