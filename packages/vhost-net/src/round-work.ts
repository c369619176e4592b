import { WORK_BYTES, work } from '@vring/memory'
import type { ChainBatch } from '@vring/virtqueue'

/** Units of work of a look at a ring, beside the descriptors that it walks. */
const LOOK_WORK = 4

/** Charges a look at a ring, whatever it found. */
export function chargeLook({ descriptors }: ChainBatch): void {
  work.charge(descriptors + LOOK_WORK)
}

/** Charges frames that were taken or dropped, and their bytes. */
export function chargeFrames(frames: number, bytes: number): void {
  work.charge(frames + Math.ceil(bytes / WORK_BYTES))
}

/** Charges contiguous pieces of buffers: each is translated and copied by itself, which takes as long as two descriptors. */
export function chargePieces(pieces: number): void {
  work.charge(2 * pieces)
}
