import { VringError } from '@vring/layout'

/** Packets that one round handles at most. Source: Linux drivers/vhost/net.c, VHOST_NET_PKT_WEIGHT. */
export const ROUND_PACKETS = 256
/** Bytes that one round handles, the packet that crosses it included. Source: VHOST_NET_WEIGHT. */
export const ROUND_BYTES = 0x80000
/**
 * Descriptors of chains that one round walks, the chain that crosses it included: those of length zero are no bytes and no
 * packets, but each is a load. A frame of 64 KiB in pages takes 19.
 */
export const ROUND_DESCRIPTORS = 4096
/** The longest frame that the device takes or gives, in bytes without the virtio-net header: a GSO frame. */
export const FRAME_BYTES_MAX: number = 65_535 + 14

/**
 * Why a round ended.
 * `empty`: nothing more to do. `budget`: more is waiting, call again. `miss`: a translation is missing, call again when
 * the IOTLB was updated. `backpressure`: the backend has no room, call again later. `no-buffers`: the driver made no
 * room for a frame that waits. `broken`: the queue is broken.
 */
export type RoundEnd = 'empty' | 'budget' | 'miss' | 'backpressure' | 'no-buffers' | 'broken'

/** What a round throws that is run in the middle of another one of its kind: they have their columns in common. */
export function roundInRound(name: string): VringError {
  return new VringError(
    'ERR_INVALID_STATE',
    `${name}: a round is running in this thread; run this one when it has ended`,
  )
}
