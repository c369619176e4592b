import { memoryView } from '@vring/memory'
import { type BackendPlugin, FrameBatch, type FrameSource, NET_BATCH, type NetBackend } from '@vring/vhost-net'

/** What is examined: a backend, and how the kit sees what it does with frames. */
export interface NetSubject {
  readonly plugin: Pick<BackendPlugin, 'name' | 'supports'>
  /** Makes the backend of one queue, as a device does. */
  create(): NetBackend | (NetBackend & FrameSource)
  /**
   * Frames without virtio-net headers that have left a backend since the last call, in order. Left out where nothing
   * comes out that could be looked at. Called after `flush`.
   */
  readonly sent?: (backend: NetBackend) => readonly Uint8Array[]
  /**
   * Has a frame come in, so that the backend has it for the driver; false: no room. Left out where the kit can't bring
   * one. What `frame` holds afterwards is what the driver has to receive. For a backend that changes frames, hand it
   * the frame as it is before that change.
   */
  readonly arrive?: (backend: NetBackend, frame: Uint8Array) => boolean
}

/** One named property of a backend. */
export interface NetCase {
  /** `transmit` or `receive`. */
  readonly suite: string
  /** A fact about a correct backend. */
  readonly title: string
  /** Says of which backends it is asked, from what they declare and what of them can be seen; all when left out. */
  readonly appliesTo?: (subject: NetSubject) => boolean
  /** @throws AssertionFailure with what was expected, or whatever the backend throws */
  run(subject: NetSubject): void
}

/** A property that does not hold; the message names method, expectation and what was found. */
export class NetAssertionFailure extends Error {
  override readonly name: string = 'NetAssertionFailure'
}

/** @throws NetAssertionFailure unless `condition` holds */
export function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new NetAssertionFailure(message)
}

/**
 * A frame of `bytes` whose bytes tell it from others: destination, source, an EtherType that no stack parses, then `tag`.
 */
export function frameOf(bytes: number, tag: number): Uint8Array {
  const frame = new Uint8Array(bytes)
  for (let i = 0; i < bytes; i++) frame[i] = i < 12 ? i : i === 12 ? 0x88 : i === 13 ? 0xb5 : (tag + i) & 0xff
  return frame
}

/** Bytes of a virtio-net header with num_buffers. */
export const HEADER_BYTES = 12

/**
 * Frames as a round hands them over, at odd places of a buffer that is filled with 0xee where no frame is. Columns past
 * `count` are filled with what would be out of the buffer.
 */
export function batchOf(frames: readonly Uint8Array[]): FrameBatch {
  const total = frames.reduce((sum, frame) => sum + HEADER_BYTES + frame.length + GAP, GAP + HEADER_BYTES)
  const view = memoryView(new ArrayBuffer((total + 7) & ~7))
  view.u8.fill(0xee)
  const batch = new FrameBatch(HEADER_BYTES, view)
  batch.offset.fill(0x7fff_fff0)
  batch.length.fill(0x7fff_fff0)
  let at = GAP
  for (const [i, frame] of frames.entries()) {
    view.u8.fill(0, at, at + HEADER_BYTES)
    view.u8.set(frame, at + HEADER_BYTES)
    batch.offset[i] = at
    batch.length[i] = HEADER_BYTES + frame.length
    at += HEADER_BYTES + frame.length + GAP
  }
  batch.count = frames.length
  return batch
}

const GAP = 5

/** The batch without its first `count` frames, as a later round offers the rest. */
export function rest(batch: FrameBatch, count: number): FrameBatch {
  const next = new FrameBatch(batch.headerBytes, batch.view)
  next.count = batch.count - count
  next.offset.set(batch.offset.subarray(count))
  next.length.set(batch.length.subarray(count))
  return next
}

/** Transmits until everything is taken or dropped; a backend that is full gets a bounded number of turns. */
export function transmitAll(backend: NetBackend, batch: FrameBatch): void {
  let left = batch
  for (let turn = 0; turn < TURNS && left.count > 0; turn++) {
    const taken = transmit(backend, left)
    backend.flush()
    left = rest(left, taken)
  }
  expect(left.count === 0, `transmit: takes nothing more of ${left.count} frames that are offered ${TURNS} times`)
}

const TURNS = 200

/** One call of transmit, whose result is checked. */
export function transmit(backend: NetBackend, batch: FrameBatch): number {
  const taken: unknown = backend.transmit(batch)
  expect(
    typeof taken === 'number' && Number.isInteger(taken) && taken >= 0 && taken <= batch.count,
    `transmit: gives ${String(taken)}; expected how many of ${batch.count} frames it took`,
  )
  return taken
}

/** Are two frames the same bytes? */
export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, i) => byte === right[i])
}

/** The frames that a source has now, without headers, copied. */
export function receivedOf(source: FrameSource): Uint8Array[] {
  const batch = source.receive()
  const { count, headerBytes, view } = batch
  expect(
    Number.isInteger(count) && count >= 0 && count <= NET_BATCH,
    `receive: count is ${count}; expected 0 to ${NET_BATCH}`,
  )
  return Array.from({ length: count }, (_, i) => {
    const [at, bytes] = [batch.offset[i]!, batch.length[i]!]
    expect(
      bytes >= headerBytes && at >= 0 && at + bytes <= view.u8.length,
      `receive: frame ${i} is at ${at}, ${bytes} bytes; expected a header of ${headerBytes} and more, within ${view.u8.length}`,
    )
    return view.u8.slice(at + headerBytes, at + bytes)
  })
}
