import { PollSet } from '@vring/linux'
import { memoryView } from '@vring/memory'
import { FrameBatch, type FrameSource, NET_BATCH } from '@vring/vhost-net'
import { expect } from 'vitest'

/** Bytes of a frame's virtio-net header. */
export const HEADER = 12
/** Bytes from one frame of a batch to the next. */
export const SLOT = 16_384
/** Frames of a test; the stack sends others. */
const ETHERTYPE = 0x88b5

/** `count` broadcast frames of `bytes` bytes; byte 14 of each is its number. */
export function batchOf(count: number, bytes = 64, headerBytes = HEADER): FrameBatch {
  const batch = new FrameBatch(headerBytes, memoryView(new ArrayBuffer(NET_BATCH * SLOT)))
  for (let i = 0; i < count; i++) {
    const frame = i * SLOT + headerBytes
    batch.view.u8.fill(0xff, frame, frame + 6)
    batch.view.u8.set([2, 0, 0, 0, 0, 1, ETHERTYPE >> 8, ETHERTYPE & 0xff, i], frame + 6)
    batch.offset[i] = i * SLOT
    batch.length[i] = headerBytes + bytes
  }
  batch.count = count
  return batch
}

/** Frames of this test (not of the stack) that arrive within two seconds, up to `count`: number and length of each. */
export function receive(
  queue: FrameSource,
  count: number,
  check: (frame: Uint8Array) => unknown = () => {},
): [number, number][] {
  const found: [number, number][] = []
  const poll = new PollSet()
  poll.watch([queue.wakeFd!])
  for (const end = performance.now() + 2000; found.length < count && performance.now() < end; ) {
    const batch = queue.receive()
    if (batch.count === 0) poll.wait(50)
    for (let i = 0; i < batch.count; i++) {
      const frame = batch.offset[i]! + HEADER
      expect([...batch.view.u8.subarray(batch.offset[i]!, frame)]).toEqual(Array(HEADER).fill(0))
      if (batch.view.u8[frame + 12]! * 256 + batch.view.u8[frame + 13]! === ETHERTYPE) {
        check(batch.view.u8.subarray(frame, batch.offset[i]! + batch.length[i]!))
        found.push([batch.view.u8[frame + 14]!, batch.length[i]! - HEADER])
      }
    }
    queue.consume(batch.count)
  }
  return found
}

/** Frames of this test in a batch. */
export function ours({ count, offset, view }: Pick<FrameBatch, 'count' | 'offset' | 'view'>): number {
  let found = 0
  for (let i = 0; i < count; i++) {
    const type = offset[i]! + HEADER + 12
    if (view.u8[type]! * 256 + view.u8[type + 1]! === ETHERTYPE) found++
  }
  return found
}

/** Every byte after the number is what {@link lengthen} put there. */
export function wholeFrame(frame: Uint8Array): void {
  for (let at = frame.length - 1; at > 14; at--)
    if (frame.length > 64 && frame[at] !== ((at * 7 + frame[14]!) & 0xff))
      throw new Error(`byte ${at} of ${frame.length}`)
}

/** Makes a frame that {@link batchOf} made `bytes` long, every byte of it told from the others. */
export function lengthen(batch: FrameBatch, frame: number, bytes: number): void {
  batch.length[frame] = HEADER + bytes
  for (let at = 15; at < bytes; at++) batch.view.u8[batch.offset[frame]! + HEADER + at] = at * 7 + frame
}
