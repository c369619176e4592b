import {
  NET_HDR_CSUM_OFFSET_OFFSET,
  NET_HDR_CSUM_START_OFFSET,
  NET_HDR_FLAGS_OFFSET,
  NET_HDR_GSO_TYPE_OFFSET,
  VIRTIO_NET_HDR_F_NEEDS_CSUM,
  VIRTIO_NET_HDR_GSO_TCPV4,
} from '@vring/layout'
import { XdpConsumerRing, XdpProducerRing, type XdpSocketView } from '@vring/linux'
import { memoryView } from '@vring/memory'
import { FrameBatch, NET_BATCH } from '@vring/vhost-net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ChunkSender } from './chunk-sender.ts'
import { LongFrames } from './long-frames.ts'

const HEADER = 12
const CHUNKS = 64
const CHUNK_BYTES = 2048
const PIECE_BYTES = CHUNK_BYTES - 256
const ENTRIES = 64
const SLOT = 4096
/** Where the indices lie in the memory of a ring, bytes, and its entries. */
const OFFSETS = { producer: 0, consumer: 64, flags: 128, desc: 192 }
const SIZES = {
  chunks: CHUNKS,
  chunkBytes: CHUNK_BYTES,
  ringEntries: ENTRIES,
  frameBytes: 1518,
  pieceBytes: PIECE_BYTES,
  roomBytes: PIECE_BYTES,
  multiBuffer: false,
}

/** A sender over rings in memory, and what the kernel does with them: it takes entries, and gives their chunks back. */
function openSender() {
  const umem = memoryView(new ArrayBuffer(CHUNKS * CHUNK_BYTES))
  const tx = new XdpProducerRing(new ArrayBuffer(OFFSETS.desc + 16 * ENTRIES), OFFSETS, ENTRIES, 16)
  const completion = new XdpConsumerRing(new ArrayBuffer(OFFSETS.desc + 8 * ENTRIES), OFFSETS, ENTRIES, 8)
  const socket = { tx, completion } as unknown as XdpSocketView
  const long = new LongFrames(umem, CHUNKS * CHUNK_BYTES, SIZES.frameBytes, PIECE_BYTES)
  const sender = new ChunkSender(socket, umem, long, Int32Array.of(1518), SIZES, CHUNKS / 2)
  const word = (at: number): number => at >>> 2
  const leave = (count: number): { address: number; frame: Uint8Array }[] => {
    const left = []
    for (let i = 0; i < count; i++) {
      const taken = tx.words[word(OFFSETS.consumer)]!++
      const entry = word(OFFSETS.desc) + 4 * (taken & (ENTRIES - 1))
      const [address, high, bytes, options] = [...tx.words.subarray(entry, entry + 4)] as [
        number,
        number,
        number,
        number,
      ]
      expect([high, options]).toEqual([0, 0])
      left.push({ address, frame: umem.u8.slice(address, address + bytes) })
      const made = completion.words[word(OFFSETS.producer)]!++
      completion.words[word(OFFSETS.desc) + 2 * (made & (ENTRIES - 1))] = address
    }
    return left
  }
  return { sender, tx, leave }
}

/** What is the matter with a frame. */
const KINDS = ['plain', 'checksum', 'outside', 'short', 'segmentation', 'oversize'] as const
interface Frame {
  readonly kind: (typeof KINDS)[number]
  readonly bytes: number
  /** How far its header is from a multiple of 64. */
  readonly shift: number
}

function batchOf(frames: readonly Frame[]): FrameBatch {
  const view = memoryView(new ArrayBuffer(frames.length * SLOT + 64))
  const batch = new FrameBatch(HEADER, view)
  const header = new DataView(view.u8.buffer)
  for (const [index, { kind, bytes, shift }] of frames.entries()) {
    const at = index * SLOT + shift
    view.u8.subarray(at + HEADER, at + HEADER + 2000).fill(index + 1)
    if (kind === 'segmentation') view.u8[at + NET_HDR_GSO_TYPE_OFFSET] = VIRTIO_NET_HDR_GSO_TCPV4
    if (kind === 'checksum' || kind === 'outside') {
      view.u8[at + NET_HDR_FLAGS_OFFSET] = VIRTIO_NET_HDR_F_NEEDS_CSUM
      header.setUint16(at + NET_HDR_CSUM_START_OFFSET, kind === 'outside' ? 3000 : 14, true)
      header.setUint16(at + NET_HDR_CSUM_OFFSET_OFFSET, 6, true)
    }
    batch.offset[index] = at
    batch.length[index] = HEADER + (kind === 'short' ? 13 : kind === 'oversize' ? 1519 : bytes)
  }
  batch.count = frames.length
  return batch
}

const REASONS: Partial<Record<Frame['kind'], string>> = {
  outside: 'header',
  short: 'short',
  segmentation: 'segmentation',
  oversize: 'oversize',
}

describe('ChunkSender', () => {
  test('sends the frames of a batch in order, whatever lies between them, and drops the others by their reasons', () => {
    const frame = fc.record({
      kind: fc.oneof({ weight: 4, arbitrary: fc.constant('plain' as const) }, fc.constantFrom(...KINDS)),
      bytes: fc.integer({ min: 22, max: 1518 }),
      shift: fc.integer({ min: 0, max: 63 }),
    })
    fc.assert(
      fc.property(fc.array(fc.array(frame, { minLength: 1, maxLength: CHUNKS / 2 }), { maxLength: 6 }), (batches) => {
        const { sender, tx, leave } = openSender()
        const drops = new Map<string, number>()
        for (const frames of batches) {
          expect(sender.load(batchOf(frames))).toBe(frames.length)
          const sent = frames.flatMap((one, index) => (REASONS[one.kind] === undefined ? [{ ...one, index }] : []))
          for (const { kind } of frames) {
            const reason = REASONS[kind]
            if (reason !== undefined) drops.set(reason, (drops.get(reason) ?? 0) + 1)
          }
          expect(tx.pending()).toBe(sent.length)
          const left = leave(sent.length)
          for (const [at, { kind, bytes, index }] of sent.entries()) {
            const expected = new Uint8Array(bytes).fill(index + 1)
            // Its checksum is another test's.
            if (kind === 'checksum') expected.set(left[at]!.frame.subarray(20, 22), 20)
            expect(Buffer.compare(left[at]!.frame, expected)).toBe(0)
          }
          const chunks = new Set(left.map(({ address }) => Math.floor(address / CHUNK_BYTES)))
          expect(chunks.size).toBe(sent.length)
          for (const chunk of chunks) expect(chunk).toBeGreaterThanOrEqual(CHUNKS / 2)
        }
        expect(sender.drops).toEqual(drops)
      }),
      { numRuns: 40 },
    )
  })

  test('takes as many as there are free chunks, and more once they are complete', () => {
    const { sender, leave } = openSender()
    const batch = batchOf(Array.from({ length: NET_BATCH }, () => ({ kind: 'plain', bytes: 64, shift: 0 }) as const))
    expect(sender.load(batch)).toBe(CHUNKS / 2)
    expect(sender.load(batch)).toBe(0)
    leave(5)
    expect(sender.load(batch)).toBe(5)
    expect(sender.sent.frames).toBe(CHUNKS / 2 + 5)
    expect(sender.sent.bytes).toBe(64 * (CHUNKS / 2 + 5))
  })
})
