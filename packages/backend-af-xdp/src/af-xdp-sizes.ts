import { refused } from '@vring/layout'
import { XDP_PACKET_HEADROOM } from '@vring/linux'
import type { AfXdpQueueHandle } from './af-xdp-interface.ts'

export interface AfXdpQueueOptions {
  /** `auto`: zero-copy if the driver has it, else copy. Default `auto`. */
  readonly mode?: 'auto' | 'copy' | 'zero-copy'
  /**
   * Chunks of a queue, half of them for each direction. Default 4096, and fewer for queues whose UMEM would be above
   * 512 MiB.
   */
  readonly chunks?: number
  /** Bytes of one chunk: 2048 or 4096. Default by the MTU: 4096 above 1770. A longer frame takes several chunks. */
  readonly chunkBytes?: number
  /** Entries of each ring; a power of two, at least half of `chunks`. Default 2048. */
  readonly ringEntries?: number
  /**
   * How long to wait for a queue that another socket has, in ms: one that was closed has it a moment longer. Default
   * 1000.
   */
  readonly busyMs?: number
  /** It has to be waited for. */
  readonly onBusy?: () => void
}

/** Bytes of a UMEM for as many queues as there may be, by default. */
const UMEM_BYTES = 2 ** 29
/** The largest chunk of a UMEM, bytes: a page. */
export const CHUNK_BYTES_MAX = 4096
/** Pieces that a frame may have. Source: Linux MAX_SKB_FRAGS. */
const PIECES_MAX = 17

/** What a queue of an interface is opened with, in bytes and in entries. */
export interface AfXdpSizes {
  readonly chunks: number
  readonly chunkBytes: number
  readonly ringEntries: number
  /** The longest frame, by the MTU. */
  readonly frameBytes: number
  /** What a chunk has room for: a frame, or a piece of one. */
  readonly pieceBytes: number
  /** The longest frame that there is room for. */
  readonly roomBytes: number
  /** Frames are longer than a chunk: they are cut. */
  readonly multiBuffer: boolean
}

/**
 * @param sockets that have a part of the UMEM each, of as many chunks
 * @throws VringError ERR_OUT_OF_RANGE for chunks or entries that are too few, or an MTU that the kernel has too few
 * pieces for
 */
export function afXdpSizes(handle: AfXdpQueueHandle, options: AfXdpQueueOptions, sockets: number): AfXdpSizes {
  const frameBytes = handle.frameNow[0]!
  const chunkBytes = options.chunkBytes ?? (fitsChunk(frameBytes, 2048) ? 2048 : CHUNK_BYTES_MAX)
  const { chunks = Math.min(4096, 2 * Math.floor(UMEM_BYTES / (2 * chunkBytes * sockets))), ringEntries = 2048 } =
    options
  const pieceBytes = chunkBytes - XDP_PACKET_HEADROOM
  const pieces = Math.ceil(frameBytes / pieceBytes)
  if (pieces > PIECES_MAX)
    throw refused(
      'ERR_OUT_OF_RANGE',
      `frame of ${handle.name}`,
      frameBytes,
      `${PIECES_MAX * pieceBytes} bytes, by a smaller MTU`,
    )
  if (chunks < 2 * pieces)
    throw refused('ERR_OUT_OF_RANGE', 'chunks', chunks, `at least ${2 * pieces}, by the MTU of ${handle.name}`)
  if (2 * ringEntries < chunks)
    throw refused('ERR_OUT_OF_RANGE', 'ringEntries', ringEntries, `at least half of ${chunks} chunks`)
  const multiBuffer = pieces > 1
  const roomBytes = Math.max(frameBytes, pieceBytes)
  return { chunks, chunkBytes, ringEntries, frameBytes, pieceBytes, roomBytes, multiBuffer }
}

/** A frame has room in one chunk, after what the kernel keeps free there. */
export function fitsChunk(frameBytes: number, chunkBytes: number): boolean {
  return frameBytes + XDP_PACKET_HEADROOM <= chunkBytes
}
