import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NetBackend } from '@vring/vhost-net'
import { describe, expect, test } from 'vitest'
import { batch, directory, fixture, frame, hex, NOW_MS, path, view } from '../test/capture-fixture.ts'
import {
  bytesSource,
  CaptureFile,
  CaptureSource,
  openCapture,
  PcapBackend,
  ReplaySource,
  readCapture,
} from './index.ts'

describe('capturing', () => {
  test('what a driver sends and receives comes back from the file, by queue and direction, without virtio-net headers', () => {
    const file = new CaptureFile(path(), { nowMs: () => NOW_MS })
    const backend = new PcapBackend(file, { interfaceName: 'queue-0-tx' })
    const source = new CaptureSource(
      file,
      new ReplaySource(() => openCapture(bytesSource(fixture('tcpdump.pcap'))), { headerBytes: 12 }),
      'queue-0-rx',
    )
    expect(backend.transmit(batch([frame(1), frame(2, 1514), frame(3, 61)]))).toBe(3)
    backend.flush()
    expect(source.receive().count).toBe(6)
    source.consume(2)
    file.close()
    const capture = readCapture(new Uint8Array(readFileSync(file.path)))
    expect(capture.truncatedAt).toBeNull()
    expect(capture.interfaces).toEqual([
      { name: 'queue-0-tx', linkType: 1 },
      { name: 'queue-0-rx', linkType: 1 },
    ])
    expect(capture.packets.map(({ interfaceId, originalLength }) => [interfaceId, originalLength])).toEqual([
      [0, 60],
      [0, 1514],
      [0, 61],
      [1, readCapture(fixture('tcpdump.pcap')).packets[0]!.bytes.length],
      [1, readCapture(fixture('tcpdump.pcap')).packets[1]!.bytes.length],
    ])
    expect(hex(capture.packets[2]!.bytes)).toBe(hex(frame(3, 61)))
    expect(capture.packets[0]!.timestampNs! / 1000n).toBe(1767323045678875n)
    expect(backend.counters).toEqual({ txFrames: 3, txBytes: 60 + 1514 + 61, txDropped: {} })
    expect([file.captured, file.lost]).toEqual([5, 0])
  })

  test('a snap length cuts what is kept and keeps the original length', () => {
    const file = new CaptureFile(path(), { snapBytes: 14 })
    new PcapBackend(file).transmit(batch([frame(7, 100)]))
    file.close()
    const [packet] = readCapture(new Uint8Array(readFileSync(file.path))).packets
    expect([packet!.bytes.length, packet!.originalLength]).toEqual([14, 100])
  })

  test('frames that the next backend has no room for are captured once', () => {
    const room = [2, 0, 1, 5]
    const next: NetBackend = {
      name: 'small',
      transmit: (frames) => Math.min(frames.count, room.shift()!),
      flush() {},
      counters: { txFrames: 0, txBytes: 0, txDropped: {} },
      close() {},
    }
    const file = new CaptureFile(path())
    const backend = new PcapBackend(file, { next })
    const frames = [1, 2, 3, 4].map((fill) => frame(fill))
    expect(backend.name).toBe('pcap+small')
    expect(backend.transmit(batch(frames))).toBe(2)
    expect(backend.transmit(batch(frames.slice(2)))).toBe(0)
    expect(backend.transmit(batch(frames.slice(2)))).toBe(1)
    expect(backend.transmit(batch([...frames.slice(3), frame(5)]))).toBe(2)
    backend.close()
    file.close()
    const { packets } = readCapture(new Uint8Array(readFileSync(file.path)))
    expect(packets.map(({ bytes }) => bytes[0])).toEqual([1, 2, 3, 4, 5])
  })

  test('what a loop asks of the next backend or of the source it learns through the capture', () => {
    const file = new CaptureFile(path())
    let forgotten = 0
    const next: NetBackend = {
      name: 'busy',
      needsCopy: true,
      unsent: true,
      roomFd: 7,
      transmit: ({ count }) => count,
      flush() {},
      forgetMemory: () => void forgotten++,
      counters: { txFrames: 0, txBytes: 0, txDropped: {} },
      close() {},
    }
    const backend = new PcapBackend(file, { next })
    expect([backend.needsCopy, backend.unsent, backend.roomFd]).toEqual([true, true, 7])
    backend.forgetMemory()
    expect(forgotten).toBe(1)
    const alone = new PcapBackend(file)
    alone.forgetMemory()
    expect([alone.needsCopy, alone.unsent, alone.roomFd]).toEqual([false, false, -1])
    const source = { wakeFd: 8, receive: () => batch([]), consume() {} }
    expect(new CaptureSource(file, source).wakeFd).toBe(8)
    file.close()
  })

  test.skipIf(!existsSync('/dev/full'))(
    'a full disk ends the capture, not the traffic: frames are counted as lost',
    () => {
      const file = new CaptureFile('/dev/full')
      const backend = new PcapBackend(file)
      const frames = batch(Array.from({ length: 64 }, (_, i) => frame(i, 1514)))
      for (let round = 0; round < 20; round++) expect(backend.transmit(frames)).toBe(64)
      file.close()
      expect(file.trouble).toBe('ENOSPC')
      expect([file.captured, file.lost]).toEqual([0, 64 * 20])
      // Also those that waited in the buffer when the disk was found to be full.
      expect(backend.counters).toMatchObject({ txFrames: 64 * 20, txDropped: { ENOSPC: 64 * 20 } })
    },
  )

  test('a file that is not created is a VringError with the system code', () => {
    expect(() => new CaptureFile(join(directory, 'missing', 'x.pcapng'))).toThrow(/can't be created: ENOENT/)
    expect(() => new CaptureFile(path(), { snapBytes: 0 })).toThrow(/snapBytes is 0; accepted: 1 to 262144/)
  })

  test('a closed file takes no more frames', () => {
    const file = new CaptureFile(path())
    const id = file.addInterface('tx')
    file.close()
    file.close()
    for (let i = 0; i < 2000; i++) file.write(id, view(1), 0, 1514, 0)
    expect([file.trouble, file.captured, file.lost]).toEqual(['CLOSED', 0, 2000])
  })
})
