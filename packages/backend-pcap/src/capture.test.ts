import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { isVringError } from '@vring/layout'
import { type MemoryView, memoryView } from '@vring/memory'
import { FrameBatch, type NetBackend } from '@vring/vhost-net'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import {
  bytesSource,
  CaptureFile,
  CaptureSource,
  openCapture,
  PcapBackend,
  PcapngEncoder,
  packetBlockBytes,
  ReplaySource,
  readCapture,
} from './index.ts'
import { Timestamp } from './timestamp.ts'

const directory = mkdtempSync(join(tmpdir(), 'vring-pcap-'))
afterAll(() => rmSync(directory, { recursive: true }))
let files = 0
const path = (): string => join(directory, `${files++}.pcapng`)
const fixture = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(join(import.meta.dirname, '../fixtures', name)))
/** 2026-01-02T03:04:05.678875Z, which a double of ms carries exactly. */
const NOW_MS = 1767323045678.875

/** A batch of frames, each after a header of 12 bytes of 0xee. */
function batch(frames: readonly Uint8Array[]): FrameBatch {
  const bytes = frames.reduce((sum, one) => sum + 12 + one.length, 0)
  const one = new FrameBatch(12, memoryView(new ArrayBuffer((bytes + 3) & ~3)))
  one.view.u8.fill(0xee)
  let at = 0
  frames.forEach((frame, i) => {
    one.view.u8.set(frame, at + 12)
    one.offset[i] = at
    one.length[i] = 12 + frame.length
    at += 12 + frame.length
  })
  one.count = frames.length
  return one
}

const frame = (fill: number, bytes = 60): Uint8Array<ArrayBuffer> => new Uint8Array(bytes).fill(fill)
/** Memory with a frame at its start. */
const view = (fill: number): MemoryView => memoryView(frame(fill, 1600).buffer)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

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

describe('files of a capture', () => {
  const packets = (name: string): number => readCapture(new Uint8Array(readFileSync(name))).packets.length

  test('a file that is there is not overwritten, unless that is asked for', () => {
    const name = path()
    writeFileSync(name, 'precious')
    expect(() => new CaptureFile(name)).toThrow(/EEXIST \(a capture is there; overwrite replaces it\)/)
    expect(readFileSync(name, 'utf8')).toBe('precious')
    new CaptureFile(name, { overwrite: true }).close()
    expect(packets(name)).toBe(0)
  })

  test('rotation begins a whole capture before a file exceeds its size, and keeps the newest', () => {
    const name = path()
    const file = new CaptureFile(name, { rotateBytes: 1 << 20, files: 3 })
    const id = file.addInterface('tx-0')
    for (let i = 0; i < 2000; i++) file.write(id, view(i & 255), 0, 1500, 2)
    // An operator may delete what the capture would.
    rmSync(name.replace('.pcapng', '_00001.pcapng'))
    for (let i = 0; i < 2000; i++) file.write(id, view(i & 255), 0, 1500, 2)
    expect(file.trouble).toBeNull()
    // Blocks of 108 bytes fill what gathers to the last one.
    for (let i = 0; i < 20_000; i++) file.write(id, view(i & 255), 0, 64, 2)
    file.close()
    const made = readdirSync(directory).filter((one) => one.startsWith(basename(name, '.pcapng')))
    expect(made.length).toBe(3)
    expect(made.sort()[0]).toMatch(/_0000[2-9]\.pcapng$/)
    for (const one of made) {
      const capture = readCapture(new Uint8Array(readFileSync(join(directory, one))))
      expect(capture.interfaces.map((each) => each.name)).toEqual(['tx-0'])
      expect([capture.truncatedAt, capture.malformed]).toEqual([null, null])
      expect(statSync(join(directory, one)).size).toBeLessThanOrEqual(1 << 20)
    }
    const next = new CaptureFile(name, { rotateBytes: 1 << 20 })
    next.close()
    // After the others, although the first numbers are free again.
    const after = readdirSync(directory).filter((one) => one.startsWith(basename(name, '.pcapng')))
    expect(after.sort().slice(0, 3)).toEqual(made.sort())
    expect(after.length).toBe(4)
  })

  test('each reader of a FIFO gets a whole capture from when it came; frames without a reader are lost and counted', () => {
    const name = path()
    execFileSync('mkfifo', [name])
    const said: (string | null)[] = []
    const file = new CaptureFile(name, { onTrouble: (reason) => said.push(reason) })
    const id = file.addInterface('tx-0')
    const put = (fill: number): void => {
      file.write(id, view(fill), 0, 60, 2)
      file.sync()
    }
    put(1)
    expect([file.lost, file.trouble]).toEqual([1, 'no-reader'])
    for (const fill of [2, 3]) {
      const reader = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK)
      const until = performance.now() + 5000
      do put(fill)
      while (file.trouble !== null && performance.now() < until)
      const bytes = new Uint8Array(65_536)
      const capture = readCapture(bytes.subarray(0, readSync(reader, bytes, 0, bytes.length, null)))
      expect(capture.interfaces.map((each) => each.name)).toEqual(['tx-0'])
      expect(capture.packets.map((each) => each.bytes[0])).toEqual([fill])
      closeSync(reader)
      put(9)
      expect(file.trouble).toBe('no-reader')
    }
    file.close()
    expect(said).toEqual(['no-reader', null, 'no-reader', null, 'no-reader'])
  })

  test('a reader that is slow loses frames, never the order of blocks', () => {
    const name = path()
    execFileSync('mkfifo', [name])
    const reader = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK)
    const file = new CaptureFile(name)
    const id = file.addInterface('tx-0')
    for (let i = 0; i < 3000; i++) file.write(id, view(i & 255), 0, 1500, 2)
    expect(file.trouble).toBe('slow-reader')
    expect(file.lost).toBeGreaterThan(0)
    const parts: Uint8Array[] = []
    const bytes = new Uint8Array(65_536)
    const drain = (): void => {
      for (;;) {
        try {
          const read = readSync(reader, bytes, 0, bytes.length, null)
          if (read === 0) return
          parts.push(bytes.slice(0, read))
        } catch {
          return
        }
      }
    }
    while (file.trouble !== null) {
      drain()
      file.sync()
    }
    drain()
    file.close()
    closeSync(reader)
    const capture = readCapture(new Uint8Array(Buffer.concat(parts)))
    expect([capture.truncatedAt, capture.malformed]).toEqual([null, null])
    expect(capture.packets.length).toBe(file.captured)
  })

  test('an interface after the first frame, sizes and counts out of range are refused', () => {
    const file = new CaptureFile(path())
    file.sync()
    expect(() => file.addInterface('late')).toThrow(/before the first frame/)
    file.close()
    expect(() => new CaptureFile(path(), { rotateBytes: 1000 })).toThrow(/rotateBytes is 1000; accepted: 1048576 to/)
    expect(() => new CaptureFile(path(), { files: 2 })).toThrow(/files is 2; accepted: together with rotateBytes/)
  })
})

describe('timestamps', () => {
  test('halves are the ns since 1970, to the resolution of the clock', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_102_444_800_000 }), fc.integer({ min: 0, max: 3 }), (ms, quarter) => {
        const timestamp = new Timestamp(() => ms + quarter / 4)
        timestamp.take()
        const ns = (BigInt(timestamp.high) << 32n) | BigInt(timestamp.low)
        expect(ns).toBe(BigInt(ms) * 1_000_000n + BigInt(quarter) * 250_000n)
      }),
      { numRuns: 300 },
    )
  })
})

describe('reading', () => {
  test('a classic pcap of tcpdump: six frames, of which two are tagged, with ns timestamps', () => {
    const { interfaces, packets, truncatedAt } = readCapture(fixture('tcpdump.pcap'))
    expect(interfaces).toEqual([{ name: '', linkType: 1 }])
    expect(truncatedAt).toBeNull()
    expect(packets.length).toBe(6)
    const types = packets.map(({ bytes }) => (bytes[12]! << 8) | bytes[13]!)
    expect(types.filter((type) => type === 0x8100).length).toBe(2)
    expect(packets.every(({ timestampNs }, i) => i === 0 || timestampNs! >= packets[i - 1]!.timestampNs!)).toBe(true)
    expect(packets.some(({ timestampNs }) => timestampNs! % 1000n !== 0n)).toBe(true)
  })

  test('a pcapng of dumpcap: the same frames, and the name of the interface', () => {
    const capture = readCapture(fixture('dumpcap.pcapng'))
    expect(capture.interfaces.map(({ name }) => name)).toEqual(['right'])
    expect(capture.packets.map(({ bytes }) => hex(bytes))).toEqual(
      readCapture(fixture('tcpdump.pcap')).packets.map(({ bytes }) => hex(bytes)),
    )
  })

  test('pcapng in the other byte order, with microseconds, a clock offset and simple packets', () => {
    const words: number[] = []
    const block = (type: number, body: number[]): void => {
      const total = 12 + body.length * 4
      words.push(type, total, ...body, total)
    }
    block(0x0a0d0d0a, [0x1a2b3c4d, 0x0001_0000, 0xffffffff, 0xffffffff])
    // tsresol 6, tsoffset 100 s
    block(1, [0x0001_0000, 20, 0x0009_0001, 0x0600_0000, 0x000e_0008, 0, 100, 0])
    block(6, [0, 0, 2_000_001, 4, 60, 0xaabbccdd])
    block(0x0bad, [1, 2, 3])
    block(3, [24, 0x01020304, 0, 0, 0, 0])
    const file = new Uint8Array(words.length * 4)
    const view = new DataView(file.buffer)
    words.forEach((word, i) => {
      view.setUint32(i * 4, word, false)
    })
    const { packets } = readCapture(file)
    expect(
      packets.map(({ timestampNs, bytes, originalLength }) => [timestampNs, bytes.length, originalLength]),
    ).toEqual([
      [102_000_001_000n, 4, 60],
      [null, 20, 24],
    ])
    expect(hex(packets[0]!.bytes)).toBe('aabbccdd')
  })

  test('a big-endian classic pcap with microseconds', () => {
    const file = new Uint8Array(24 + 16 + 14)
    const view = new DataView(file.buffer)
    view.setUint32(0, 0xa1b2c3d4)
    view.setUint16(4, 2)
    view.setUint32(20, 1)
    view.setUint32(24, 3)
    view.setUint32(28, 5)
    view.setUint32(32, 14)
    view.setUint32(36, 99)
    const { packets } = readCapture(file)
    expect(packets.map(({ timestampNs, originalLength }) => [timestampNs, originalLength])).toEqual([
      [3_000_005_000n, 99],
    ])
  })

  test.each(['tcpdump.pcap', 'dumpcap.pcapng'])('%s cut anywhere gives the frames that are whole', (name) => {
    const file = fixture(name)
    const whole = readCapture(file).packets.map(({ bytes }) => hex(bytes))
    for (let length = 32; length < file.length; length += 7) {
      const { packets, truncatedAt } = readCapture(file.subarray(0, length))
      expect(packets.map(({ bytes }) => hex(bytes))).toEqual(whole.slice(0, packets.length))
      if (truncatedAt !== null) expect(truncatedAt).toBeLessThan(length)
    }
    expect(readCapture(file.subarray(0, file.length - 1)).truncatedAt).not.toBeNull()
  })

  test('any bytes after a known magic are read, or refused with a VringError', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('tcpdump.pcap', 'dumpcap.pcapng'),
        fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        (name, changes) => {
          const file = fixture(name).slice()
          for (const [at, value] of changes) if (at >= 4 && at < file.length) file[at] = value
          try {
            readCapture(file)
          } catch (error) {
            expect(isVringError(error)).toBe(true)
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  test('what is no capture is refused', () => {
    expect(() => readCapture(new Uint8Array(3))).toThrow(/accepted: pcapng, pcap/)
    expect(() => readCapture(new Uint8Array(64))).toThrow(/unknown format/)
  })

  test('an encoded packet has exactly the bytes that were foreseen', () => {
    for (const length of [0, 1, 3, 4, 60, 129, 1514]) {
      const encoder = new PcapngEncoder(4096)
      encoder.packet(0, 0, 0, view(9), 5, length, length, 2)
      expect(encoder.length).toBe(packetBlockBytes(length))
    }
  })

  test('a frame is the same from any place in memory, at any length, and nothing of what lies after it is kept', () => {
    const memory = memoryView(Uint8Array.from({ length: 2048 }, (_, i) => (i * 7 + (i >>> 8)) | 1).buffer)
    const encoder = new PcapngEncoder(4096)
    // Something of an earlier use.
    encoder.bytes.fill(0xaa)
    const block = (offset: number, length: number): Uint8Array => {
      encoder.clear()
      encoder.packet(0, 0, 0, memory, offset, length, length, 2)
      return encoder.bytes.slice(28, 28 + ((length + 3) & ~3))
    }
    for (let offset = 0; offset < 8; offset++)
      for (const length of [...Array(20).keys(), 59, 60, 61, 62, 255, 256, 257, 1513]) {
        const expected = new Uint8Array((length + 3) & ~3)
        expected.set(memory.u8.subarray(offset, offset + length))
        expect(hex(block(offset, length))).toBe(hex(expected))
      }
    // The memory's last word too.
    expect(hex(block(2048 - 61, 61))).toBe(`${hex(memory.u8.subarray(2048 - 61))}000000`)
  })
})
