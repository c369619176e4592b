/**
 * Payloads as they lie on the wire, little-endian. Values of any size are taken as they are: a judge sends wrong ones on
 * purpose. Source: the vhost-user document, section "Payload".
 */
type Word = readonly [bytes: 1 | 2 | 4 | 8, value: number | bigint]

function words(...list: readonly Word[]): Uint8Array {
  const bytes = new Uint8Array(list.reduce((sum, [size]) => sum + size, 0))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const [size, value] of list) {
    if (size === 1) view.setUint8(at, Number(value))
    else if (size === 2) view.setUint16(at, Number(value), true)
    else if (size === 4) view.setUint32(at, Number(value), true)
    else view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true)
    at += size
  }
  return bytes
}

export const NOTHING: Uint8Array = new Uint8Array(0)

/** A 64-bit integer. */
export function u64(value: number | bigint): Uint8Array {
  return words([8, value])
}

/** A vring state description: index and num. */
export function vringState(index: number, num: number): Uint8Array {
  return words([4, index], [4, num])
}

/** The payload of SET_VRING_KICK, CALL and ERR: bit 8 says that no descriptor comes with it. */
export function vringFd(index: number, hasFd: boolean): Uint8Array {
  return u64(index | (hasFd ? 0 : 0x100))
}

export interface VringAddress {
  readonly index: number
  /** Bit 0: writes to the used ring are logged. */
  readonly flags: number
  readonly desc: number | bigint
  /** The used ring, or the device area of a packed ring. */
  readonly used: number | bigint
  /** The available ring, or the driver area of a packed ring. */
  readonly avail: number | bigint
  /** Guest address of the used ring, for the log. */
  readonly log: number | bigint
}

/** A vring address description. */
export function vringAddress({ index, flags, desc, used, avail, log }: VringAddress): Uint8Array {
  return words([4, index], [4, flags], [8, desc], [8, used], [8, avail], [8, log])
}

export interface Region {
  readonly guestAddress: number | bigint
  /** Bytes. */
  readonly size: number | bigint
  readonly userAddress: number | bigint
  /** Bytes. */
  readonly mmapOffset: number | bigint
}

function region({ guestAddress, size, userAddress, mmapOffset }: Region): Word[] {
  return [
    [8, guestAddress],
    [8, size],
    [8, userAddress],
    [8, mmapOffset],
  ]
}

/**
 * Multiple memory regions description.
 *
 * @param count what the message says; default: as many as there are
 */
export function memoryTable(regions: readonly Region[], count: number = regions.length): Uint8Array {
  return words([4, count], [4, 0], ...regions.flatMap(region))
}

/** Single memory region description. */
export function singleRegion(one: Region): Uint8Array {
  return words([8, 0], ...region(one))
}

/** Log description, in bytes. */
export function logArea(size: number | bigint, offset: number | bigint): Uint8Array {
  return words([8, size], [8, offset])
}

export const IOTLB_MISS = 1
export const IOTLB_UPDATE = 2
export const IOTLB_INVALIDATE = 3
/** Permission bits of an IOTLB message. */
export const IOTLB_READ = 1
export const IOTLB_WRITE = 2

export interface IotlbMessage {
  readonly iova: number | bigint
  /** Bytes. */
  readonly size: number | bigint
  readonly userAddress: number | bigint
  readonly permission: number
  readonly type: number
}

/** An IOTLB message: struct vhost_iotlb_msg, padded to 32 bytes. */
export function iotlbMessage({ iova, size, userAddress, permission, type }: IotlbMessage): Uint8Array {
  return words([8, iova], [8, size], [8, userAddress], [1, permission], [1, type], [2, 0], [4, 0])
}

/**
 * Virtio device config space.
 *
 * @param flags 0: as the driver writes it; 1: live migration
 */
export function configSpace(offset: number, size: number, flags: number, bytes: Uint8Array): Uint8Array {
  return Uint8Array.of(...words([4, offset], [4, size], [4, flags]), ...bytes)
}

/**
 * Inflight description: 20 bytes by the document, 24 as QEMU's structure is padded, and as every front-end and back-end
 * sends it.
 */
export function inflightArea(mmapSize: number, mmapOffset: number, queues: number, queueSize: number): Uint8Array {
  return words([8, mmapSize], [8, mmapOffset], [2, queues], [2, queueSize], [4, 0])
}
