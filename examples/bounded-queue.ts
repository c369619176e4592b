/**
 * The bounded queue that backends are made with: what it has no room for is refused, and what waits stays where it is
 * until it is consumed.
 *
 *   npx tsx --conditions=@vring/source examples/bounded-queue.ts
 */

import { memoryView } from '@vring/memory'
import { BACKEND_API_VERSION, type FrameBatch, FrameQueue, NET_BATCH } from '@vring/vhost-net'

const HEADER_BYTES = 12
const queue = new FrameQueue(HEADER_BYTES, 4, 4096)
const view = memoryView(new ArrayBuffer(128))

// Four frames fit; the fifth is refused, and nothing is lost without a word.
for (let tag = 0; tag < 5; tag++) {
  view.u8[HEADER_BYTES] = tag
  console.log(`frame ${tag}: ${queue.push(view, 0, view, HEADER_BYTES, 60) ? 'queued' : 'no room'}`)
}
const batch: FrameBatch = queue.receive()
console.log(`${batch.count} of at most ${NET_BATCH} frames, contract ${BACKEND_API_VERSION}`)
queue.consume(batch.count)
console.log(`${queue.receive().count} wait`)
