import type { DeviceRequest } from '@vring/vhost-user'
import {
  DISCARD_SECTORS_MAX,
  DISCARD_SEGMENTS_MAX,
  REQUEST_BYTES_MAX,
  ZEROES_SECTORS_MAX,
  ZEROES_SEGMENTS_MAX,
} from './block-config.ts'
import { SECTOR_BYTES } from './block-store.ts'

/** Request types. Source: VirtIO 1.3 section 5.2.6. */
export const VIRTIO_BLK_T_IN = 0
export const VIRTIO_BLK_T_OUT = 1
export const VIRTIO_BLK_T_FLUSH = 4
export const VIRTIO_BLK_T_GET_ID = 8
export const VIRTIO_BLK_T_DISCARD = 11
export const VIRTIO_BLK_T_WRITE_ZEROES = 13

/** Status, the last byte that the device writes. */
export const VIRTIO_BLK_S_OK = 0
export const VIRTIO_BLK_S_IOERR = 1
export const VIRTIO_BLK_S_UNSUPP = 2

/** Bytes of type, reserved and sector, which the driver has for the device first. */
export const HEADER_BYTES = 16
/** Bytes of one range of a discard or of zeroes: sector, number of sectors, flags. */
const RANGE_BYTES = 16
/** The answer to GET_ID. */
export const ID_BYTES = 20

/** A part of the store, in bytes. */
export interface BlockRange {
  readonly offset: number
  readonly length: number
  /** The room may be given back (write zeroes). */
  readonly unmap: boolean
}

/** What a request asks for, checked against the store. `fail`: nothing is done, this is its status. */
export type BlockCommand =
  | { readonly kind: 'read'; readonly offset: number; readonly length: number }
  | { readonly kind: 'write'; readonly offset: number; readonly length: number }
  | { readonly kind: 'flush' }
  | { readonly kind: 'id' }
  | { readonly kind: 'discard'; readonly ranges: readonly BlockRange[] }
  | { readonly kind: 'zeroes'; readonly ranges: readonly BlockRange[] }
  | { readonly kind: 'fail'; readonly status: number }

const ioError: BlockCommand = { kind: 'fail', status: VIRTIO_BLK_S_IOERR }
const unsupported: BlockCommand = { kind: 'fail', status: VIRTIO_BLK_S_UNSUPP }

const header = new Uint8Array(HEADER_BYTES)
const headerView = new DataView(header.buffer)

/**
 * Reads a request once, and checks the copy.
 *
 * @param bytes of the store
 * @returns null when it has no room for a status: there is nothing that could be answered
 */
export function readCommand(request: DeviceRequest, bytes: number, readOnly: boolean): BlockCommand | null {
  if (request.writeBytes < 1) return null
  if (request.read(0, header) < 0) return ioError
  const type = headerView.getUint32(0, true)
  const sector = headerView.getBigUint64(8, true)
  const dataOut = request.readBytes - HEADER_BYTES
  const dataIn = request.writeBytes - 1
  switch (type) {
    case VIRTIO_BLK_T_IN:
      return dataOut > 0 ? ioError : (transfer('read', sector, dataIn, bytes) ?? ioError)
    case VIRTIO_BLK_T_OUT:
      return readOnly || dataIn > 0 ? ioError : (transfer('write', sector, dataOut, bytes) ?? ioError)
    case VIRTIO_BLK_T_FLUSH:
      return { kind: 'flush' }
    case VIRTIO_BLK_T_GET_ID:
      return dataIn < ID_BYTES ? ioError : { kind: 'id' }
    case VIRTIO_BLK_T_DISCARD:
      return readOnly ? ioError : ranges('discard', request, dataOut, bytes)
    case VIRTIO_BLK_T_WRITE_ZEROES:
      return readOnly ? ioError : ranges('zeroes', request, dataOut, bytes)
    default:
      return unsupported
  }
}

function transfer(kind: 'read' | 'write', sector: bigint, length: number, bytes: number): BlockCommand | null {
  if (length === 0 || length % SECTOR_BYTES !== 0 || length > REQUEST_BYTES_MAX || length > bytes) return null
  const offset = offsetOf(sector, length, bytes)
  return offset < 0 ? null : { kind, offset, length }
}

/** Byte offset of a sector whose `length` bytes are inside the store, or -1. */
function offsetOf(sector: bigint, length: number, bytes: number): number {
  if (sector > BigInt(bytes / SECTOR_BYTES)) return -1
  const offset = Number(sector) * SECTOR_BYTES
  return length > bytes - offset ? -1 : offset
}

function ranges(kind: 'discard' | 'zeroes', request: DeviceRequest, length: number, bytes: number): BlockCommand {
  const [segments, sectors] =
    kind === 'discard' ? [DISCARD_SEGMENTS_MAX, DISCARD_SECTORS_MAX] : [ZEROES_SEGMENTS_MAX, ZEROES_SECTORS_MAX]
  if (length === 0 || length % RANGE_BYTES !== 0 || length > segments * RANGE_BYTES) return ioError
  const copy = new Uint8Array(length)
  if (request.read(HEADER_BYTES, copy) < 0) return ioError
  const view = new DataView(copy.buffer)
  const list: BlockRange[] = []
  for (let at = 0; at < length; at += RANGE_BYTES) {
    const count = view.getUint32(at + 8, true)
    const flags = view.getUint32(at + 12, true)
    // Bit 0 is unmap, which a discard must not have; the others are reserved (section 5.2.6.2).
    if (flags > 1 || (kind === 'discard' && flags !== 0)) return unsupported
    if (count === 0 || count > sectors) return ioError
    const offset = offsetOf(view.getBigUint64(at, true), count * SECTOR_BYTES, bytes)
    if (offset < 0) return ioError
    list.push({ offset, length: count * SECTOR_BYTES, unmap: flags === 1 })
  }
  return { kind, ranges: list }
}
