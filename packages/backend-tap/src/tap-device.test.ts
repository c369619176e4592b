import { isVringError, NET_HDR_CSUM_START_OFFSET, NET_HDR_GSO_SIZE_OFFSET, NET_HDR_HDR_LEN_OFFSET } from '@vring/layout'
import { memoryView } from '@vring/memory'
import { FrameBatch, NET_BATCH } from '@vring/vhost-net'
import {
  XDP_ABORTED,
  XDP_DROP,
  XDP_PASS,
  XDP_REDIRECT,
  XDP_TX,
  Xdp2,
  type XdpContext,
  type XdpProgram,
} from '@vring/xdp'
import { describe, expect, test } from 'vitest'
import { TapDevice, type TapDeviceOptions } from './tap-device.ts'
import type { TapQueue } from './tap-queue.ts'

const HEADER = 12
const STRIDE = 4096

interface TestFrame {
  readonly bytes?: number
  /** 16-bit fields of the header by offset. */
  readonly fields?: Readonly<Record<number, number>>
  readonly flags?: number
  readonly gsoType?: number
}

/** Frames whose bytes are 0, 1, 2, ... after the addresses; the last byte of the first 14 is their number. */
function batchOf(...frames: TestFrame[]): FrameBatch {
  const batch = new FrameBatch(HEADER, memoryView(new ArrayBuffer(NET_BATCH * STRIDE)))
  for (const [index, { bytes = 64, fields = {}, flags = 0, gsoType = 0 }] of frames.entries()) {
    const at = index * STRIDE
    const { u8, u16 } = batch.view
    for (let i = 0; i < bytes; i++) u8[at + HEADER + i] = i
    u8[at + HEADER + 13] = index
    // IPv4 where it is to be segmented.
    if (gsoType !== 0) u8.set([0x08, 0], at + HEADER + 12)
    u8[at] = flags
    u8[at + 1] = gsoType
    for (const [offset, value] of Object.entries(fields)) u16[(at + Number(offset)) >>> 1] = value
    batch.offset[index] = at
    batch.length[index] = HEADER + bytes
  }
  batch.count = frames.length
  return batch
}

function program(run: (context: XdpContext) => number): XdpProgram {
  return { name: 'test', run }
}

function device(run: ((context: XdpContext) => number) | null, options: TapDeviceOptions = {}): TapQueue {
  return new TapDevice({ ...options, ...(run === null ? {} : { program: program(run) }) }).queues[0]!
}

function send(queue: TapQueue, ...frames: TestFrame[]): void {
  const batch = batchOf(...frames)
  expect(queue.transmit(batch)).toBe(frames.length)
  queue.flush()
}

function received(queue: TapQueue): number[][] {
  const { count, offset, length, view } = queue.receive()
  return Array.from({ length: count }, (_, i) => [...view.u8.subarray(offset[i]! + HEADER, offset[i]! + length[i]!)])
}

describe('a TAP in process', () => {
  test('without a program gives every frame with its header to the peer', () => {
    const queue = device(null)
    send(queue, { bytes: 60, flags: 1, fields: { [NET_HDR_CSUM_START_OFFSET]: 34 } }, { bytes: 1518 })
    const first = queue.peer.read()!
    expect([first.header[0], first.header[NET_HDR_CSUM_START_OFFSET]]).toEqual([1, 34])
    expect([...first.frame.subarray(0, 5)]).toEqual([0, 1, 2, 3, 4])
    expect(queue.peer.read()!.frame.length).toBe(1518)
    expect(queue.peer.read()).toBeNull()
    expect(queue.counters).toMatchObject({ txFrames: 2, txBytes: 1578, txDropped: {} })
  })

  test('runs the program once for each frame and does what each verdict says', () => {
    const verdicts = [XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT, 77]
    const queue = device((context) => verdicts[context.u8[context.data + 13]!]!)
    send(queue, ...verdicts.map(() => ({})))
    expect([...queue.verdicts]).toEqual([2, 1, 1, 1, 1])
    expect(queue.counters.txDropped).toEqual({ aborted: 2, drop: 1, 'redirect-no-target': 1 })
    expect(queue.peer.read()!.frame[13]).toBe(2)
    expect(queue.peer.read()).toBeNull()
    expect(received(queue).map((frame) => frame[13])).toEqual([3])
  })

  test('a program sees interface and queue, and writes to a copy: the driver keeps its bytes', () => {
    const seen: number[][] = []
    const tap = new TapDevice({
      ifindex: 7,
      queues: 2,
      program: program((context) => {
        seen.push([context.ingressIfindex, context.rxQueueIndex])
        context.u8[context.data] = 0xee
        return XDP_PASS
      }),
    })
    const batch = batchOf({})
    tap.queues[1]!.transmit(batch)
    expect(seen).toEqual([[7, 1]])
    expect(batch.view.u8[HEADER]).toBe(0)
    expect(tap.queues[1]!.peer.read()!.frame[0]).toBe(0xee)
    expect(tap.queues[0]!.peer.read()).toBeNull()
  })

  test('a program moves both ends of a frame within the headroom', () => {
    const queue = device((context) => {
      expect([context.adjustHead(-256), context.adjustTail(100), context.adjustTail(157)]).toEqual([0, 0, -22])
      context.u8.fill(0xaa, context.data, context.data + 256)
      return XDP_PASS
    })
    send(queue, { bytes: 60 })
    const { frame } = queue.peer.read()!
    expect(frame.length).toBe(256 + 60 + 100)
    expect([frame[255], frame[256], frame[257], frame[256 + 60]]).toEqual([0xaa, 0, 1, 0])
  })

  test('TX sends back to the driver with an empty header: xdp2 swaps the addresses', () => {
    const tap = new TapDevice({ program: new Xdp2() })
    const batch = batchOf({ flags: 2 })
    // An IPv4 UDP frame.
    batch.view.u8.set([0x08, 0x00, 0x45], HEADER + 12)
    batch.view.u8[HEADER + 14 + 9] = 17
    const queue = tap.queues[0]!
    queue.transmit(batch)
    const back = queue.receive()
    expect(back.count).toBe(1)
    expect([...back.view.u8.subarray(back.offset[0]!, back.offset[0]! + HEADER)]).toEqual(Array(HEADER).fill(0))
    expect(received(queue)[0]!.slice(0, 12)).toEqual([6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5])
    queue.consume(1)
    expect(queue.receive().count).toBe(0)
  })

  test('redirected frames are collected and handed over once, at the end of the batch', () => {
    const other = new TapDevice({ name: 'tap1', ifindex: 2 })
    const queue = device(
      (context) => {
        context.redirectTarget = 2
        return XDP_REDIRECT
      },
      { redirect: (ifindex) => (ifindex === 2 ? other : null) },
    )
    const batch = batchOf(...Array.from({ length: 64 }, () => ({})))
    queue.transmit(batch)
    queue.transmit(batch)
    expect(other.queues[0]!.receive().count).toBe(0)
    queue.flush()
    expect(queue.redirectFlushes).toBe(1)
    expect(other.queues[0]!.counters.rxFrames).toBe(128)
    expect(received(other.queues[0]!).map((frame) => frame[13])).toEqual(Array.from({ length: 64 }, (_, i) => i))
    queue.flush()
    expect(queue.redirectFlushes).toBe(1)
  })

  test('frames with segmentation take the way of socket buffers, longer than the MTU', () => {
    const queue = device(() => XDP_PASS)
    send(queue, { bytes: 3000, gsoType: 1, fields: { [NET_HDR_GSO_SIZE_OFFSET]: 1448 } }, { bytes: 3000 })
    expect(queue.skbFrames).toBe(1)
    expect(queue.counters.txDropped).toEqual({ oversize: 1 })
    const { header, frame } = queue.peer.read()!
    expect([header[1], frame.length]).toEqual([1, 3000])
  })

  test('a frame shorter than an Ethernet header is refused before the program sees it', () => {
    const queue = device(() => XDP_PASS)
    send(queue, { bytes: 13 }, { bytes: 14 })
    expect(queue.counters.txDropped).toEqual({ short: 1 })
    expect([...queue.verdicts]).toEqual([0, 0, 1, 0, 0])
  })

  test.each<[string, TestFrame]>([
    ['a checksum beyond the frame', { flags: 1, fields: { [NET_HDR_CSUM_START_OFFSET]: 63 } }],
    ['a checksum far beyond it', { flags: 1, fields: { [NET_HDR_CSUM_START_OFFSET]: 0xffff, 8: 0xffff } }],
    [
      'a header longer than the frame',
      { gsoType: 1, fields: { [NET_HDR_HDR_LEN_OFFSET]: 65, [NET_HDR_GSO_SIZE_OFFSET]: 9 } },
    ],
    ['a header longer than the frame, without segmentation', { fields: { [NET_HDR_HDR_LEN_OFFSET]: 65 } }],
    ['segmentation without a size', { gsoType: 4 }],
    ['an unknown segmentation', { gsoType: 9, fields: { [NET_HDR_GSO_SIZE_OFFSET]: 9 } }],
    ['segmentation of IPv6 in a frame of IPv4', { gsoType: 4, fields: { [NET_HDR_GSO_SIZE_OFFSET]: 9 } }],
  ])('a header that lies is a dropped frame: %s', (_, frame) => {
    const queue = device(() => XDP_PASS)
    send(queue, frame, {})
    expect(queue.counters.txDropped).toEqual({ header: 1 })
    expect(queue.peer.read()!.frame[13]).toBe(1)
  })

  test('a program that cuts the checksum off a frame loses the frame, not the peer', () => {
    const queue = device((context) => {
      context.adjustTail(-40)
      return XDP_PASS
    })
    send(queue, { flags: 1, fields: { [NET_HDR_CSUM_START_OFFSET]: 30 } })
    expect(queue.counters.txDropped).toEqual({ header: 1 })
    expect(queue.peer.read()).toBeNull()
  })

  test('full queues drop and count, and go on when there is room', () => {
    const queue = device((context) => (context.u8[context.data + 13] === 3 ? XDP_TX : XDP_PASS), { queueFrames: 2 })
    send(queue, {}, {}, {}, {})
    expect(queue.counters.txDropped).toEqual({ 'peer-full': 1 })
    expect([queue.peer.write(new Uint8Array(60)), queue.peer.write(new Uint8Array(60))]).toEqual([true, false])
    send(queue, {}, {}, {}, {})
    expect(queue.counters.txDropped).toEqual({ 'peer-full': 4, 'tx-full': 1 })
    expect(queue.counters.rxDropped).toEqual({ full: 1 })
    expect(queue.peer.read()!.frame[13]).toBe(0)
    send(queue, {})
    expect(queue.counters.txDropped).toEqual({ 'peer-full': 4, 'tx-full': 1 })
  })

  test('frames of the peer wait for the driver with the header they came with', () => {
    const queue = device(() => XDP_DROP)
    const header = Uint8Array.of(1, 0, 0, 0, 0, 0, 34, 0, 16, 0, 0, 0)
    expect(
      queue.peer.write(
        Uint8Array.from({ length: 61 }, (_, i) => i),
        header,
      ),
    ).toBe(true)
    const batch = queue.receive()
    expect([...batch.view.u8.subarray(batch.offset[0]!, batch.offset[0]! + HEADER)]).toEqual([...header])
    expect(received(queue)).toEqual([Array.from({ length: 61 }, (_, i) => i)])
    expect(queue.peer.write(new Uint8Array(13))).toBe(false)
    expect(queue.peer.write(new Uint8Array(1519))).toBe(false)
    expect(queue.peer.write(new Uint8Array(60), Uint8Array.of(1, 0, 0, 0, 0, 0, 60, 0, 0, 0, 0, 0))).toBe(false)
    expect(queue.counters).toMatchObject({ rxFrames: 1, rxBytes: 61, rxDropped: { short: 1, oversize: 1, header: 1 } })
  })

  test('refuses options that no device has', () => {
    for (const options of [{ mtu: 67 }, { queues: 0 }, { queueFrames: 1.5 }, { headerBytes: 11 }]) {
      let error: unknown
      try {
        new TapDevice(options)
      } catch (caught) {
        error = caught
      }
      expect(isVringError(error) && error.code).toBe('ERR_OUT_OF_RANGE')
      expect(isVringError(error) && error.field).toBe(Object.keys(options)[0])
    }
  })
})
