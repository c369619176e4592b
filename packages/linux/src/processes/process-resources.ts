import { readdirSync, readFileSync } from 'node:fs'
import { VringError } from '@vring/layout'

/** What a process holds; tests compare it before and after, daemons export it. */
export interface ProcessResources {
  /** Open file descriptors. */
  readonly openFds: number
  /** Mappings (lines of /proc/self/maps). */
  readonly mappings: number
  /** Resident memory, in bytes. */
  readonly residentBytes: number
}

/**
 * Counts what this process holds. Source: proc(5).
 *
 * @throws VringError ERR_UNSUPPORTED without /proc
 */
export function processResources(): ProcessResources {
  try {
    return {
      // One of them is the directory that is being read.
      openFds: readdirSync('/proc/self/fd').length - 1,
      mappings: readFileSync('/proc/self/maps', 'latin1').split('\n').length - 1,
      residentBytes: process.memoryUsage.rss(),
    }
  } catch (cause) {
    throw new VringError('ERR_UNSUPPORTED', 'this host has no /proc/self', { field: '/proc', cause })
  }
}
