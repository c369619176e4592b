/** An interface that a capture names; classic pcap has one without a name. */
export interface CaptureInterface {
  readonly name: string
  /** LINKTYPE_ number; 1 is Ethernet. */
  readonly linkType: number
}

/** One frame of a capture. */
export interface CapturedPacket {
  /** Index into the capture's interfaces. */
  readonly interfaceId: number
  /** Since 1970, in ns; null if the capture does not say. */
  readonly timestampNs: bigint | null
  /** What was captured: a copy. */
  readonly bytes: Uint8Array
  /** Bytes that the frame had on its link; more than `bytes.length` if it was cut. */
  readonly originalLength: number
}

/** What a capture file holds, in its order. */
export interface Capture {
  readonly interfaces: readonly CaptureInterface[]
  readonly packets: readonly CapturedPacket[]
  /** Where the file stops in the middle of a record, as a capture that was killed does; null: it is whole. */
  readonly truncatedAt: number | null
  /** What is malformed after the last packet, naming its offset; null: nothing. */
  readonly malformed: string | null
}
