import { type FlatQueue, type FlatQueueOptions, flatQueue, WAYS } from '../packages/virtqueue/test/flat-queue.ts'
import { descriptor } from '../packages/virtqueue/test/split-raw.ts'
import { writeDescriptor } from '../packages/virtqueue/test/write-descriptor.ts'
import { HostileCpu } from './hostile-cpu.ts'

export { descriptor, type FlatQueue, flatQueue, WAYS }

/** Writes one descriptor to the memory at `at`, as in an indirect table. */
export function entry(q: FlatQueue, at: number, address: number, length: number, flags: number, next = 0): void {
  writeDescriptor(q.space.view.buffer, at, [address, length, flags, next])
}

/** Makes heads available in a split ring that is empty. */
export function expose(q: FlatQueue, ...heads: number[]): void {
  for (const [i, head] of heads.entries()) q.raw.driver.store16(4 + 2 * ((q.device.base + i) % q.ring.queueSize), head)
  q.raw.driver.store16Release(2, (q.device.base + heads.length) & 0xffff)
}

/** A queue whose driver writes `rewrite` after each load of the device, once it was told the queue. */
export function racedQueue(
  options: FlatQueueOptions,
  rewrite: (q: FlatQueue, buffer: ArrayBufferLike, at: number, length: number) => void,
): FlatQueue {
  let q: FlatQueue | null = null
  const made = flatQueue({
    ...options,
    cpu: new HostileCpu(({ buffer, byteOffset }, at, length) => {
      if (q !== null && buffer === q.space.view.buffer) rewrite(q, buffer, byteOffset + at, length)
    }),
  })
  q = made
  return made
}

/** A load of `length` bytes at `at` reads the byte at `address`. */
export function covers(at: number, length: number, address: number): boolean {
  return at <= address && address < at + length
}

/** Bytes of the flat memory that differ from a copy of it, by address. */
export function changed(q: FlatQueue, before: Uint8Array): number[] {
  const now = q.space.view.u8
  const found: number[] = []
  for (let at = 0; at < now.length; at++) if (now[at] !== before[at]) found.push(at)
  return found
}
