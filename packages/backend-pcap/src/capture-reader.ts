import { ETH_HEADER_BYTES } from '@vring/layout'
import type { CaptureInterface } from './capture.ts'
import { LINKTYPE_ETHERNET } from './pcapng-format.ts'

/** What a step over a capture found: a packet; a block that is none; the capture's end. */
export type CaptureStep = 'packet' | 'other' | 'end'

/**
 * Reads a capture block by block, in memory that does not grow with it. The packet's fields are those of the last step that
 * was `packet`, until the next step.
 */
export interface CaptureReader {
  readonly format: 'pcapng' | 'pcap'
  /** Described so far. */
  readonly interfaces: readonly CaptureInterface[]
  /** Where the capture stops in the middle of a record, in bytes; null: nowhere so far. */
  readonly truncatedAt: number | null
  /** Index into {@link interfaces}. */
  readonly interfaceId: number
  /** Where the packet's bytes lie. */
  readonly bytes: Uint8Array
  readonly at: number
  /** Bytes that were captured. */
  readonly captured: number
  /** Bytes that the frame had on its link. */
  readonly original: number
  /** ms since 1970, as exact as a double is; NaN: the packet has no time. */
  readonly timeMs: number
  /** ns since 1970, exact; null: the packet has no time. */
  timestampNs(): bigint | null
  /** @throws VringError naming the offset of what is malformed; there is no further step then */
  step(): CaptureStep
}

/** The longest record that a capture may claim: more than any frame with its options. */
export const RECORD_BYTES_MAX: number = 16 << 20

/** Is the current packet one that a driver can be given? */
export function isEthernetFrame({ interfaces, interfaceId, captured }: CaptureReader): boolean {
  return interfaces[interfaceId]!.linkType === LINKTYPE_ETHERNET && captured >= ETH_HEADER_BYTES
}
