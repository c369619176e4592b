import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import * as made from '../test/blocks.ts'
import { bytesSource } from './byte-source.ts'
import { fileSource } from './file-source.ts'
import { openCapture } from './open-capture.ts'
import { ReplayClock } from './replay-clock.ts'
import { ReplayFile } from './replay-file.ts'
import { formatReplayReport, type ReplayReport } from './replay-report.ts'
import { type ReplayOptions, ReplaySource } from './replay-source.ts'

const directory = mkdtempSync(join(tmpdir(), 'vring-replay-'))
afterAll(() => rmSync(directory, { recursive: true }))
let files = 0
const written = (bytes: Uint8Array): string => {
  const path = join(directory, `${files++}.pcapng`)
  writeFileSync(path, bytes)
  return path
}

const NOW = 1_795_970_000_000_000n
const { section, describe1, packet, simple, frame, resolution } = made

interface Played {
  /** Fill byte of each frame and the ms at which it came. */
  readonly frames: [fill: number, ms: number][]
  readonly reports: ReplayReport[]
}

/** Replays until the source says that nothing more comes, on a clock that jumps to when something is due. */
function play(bytes: Uint8Array, options: Partial<ReplayOptions> = {}): Played {
  let now = 5000
  const frames: [number, number][] = []
  const reports: ReplayReport[] = []
  const source = new ReplaySource(() => openCapture(bytesSource(bytes)), {
    ...{ headerBytes: 12, pace: 'recorded', clock: new ReplayClock(() => now) },
    ...options,
    onReport: (report) => reports.push(report),
  })
  while (!source.done) {
    const { count, offset, length, view } = source.receive()
    for (let i = 0; i < count; i++) frames.push([view.u8[offset[i]! + length[i]! - 1]!, Math.round(now - 5000)])
    source.consume(count)
    // A clock that moves: less than what a double resolves would stand still.
    if (count === 0 && !source.done) now += Math.max(source.untilDueMs, 1e-6)
  }
  return { frames, reports }
}

describe('times of a capture', () => {
  test('a time in another century stands still for no longer than the longest gap, and those after it keep their gaps', () => {
    const bytes = made.join(
      ...[section(), describe1(), packet(NOW, frame(1)), packet(0xffff_ffff_ffff_ffffn, frame(2))],
      ...[packet(NOW + 1000n, frame(3)), packet(NOW + 6000n, frame(4))],
    )
    const { frames, reports } = play(bytes, { maxGapMs: 2000 })
    expect(frames).toEqual([
      [1, 0],
      [2, 2000],
      [3, 2000],
      [4, 2005],
    ])
    expect(reports[0]).toMatchObject({ frames: 4, shortened: 1 })
  })

  test('Simple Packet Blocks come with the packet before them, or with the first', () => {
    const first = play(
      made.join(section(), describe1(), simple(frame(1)), packet(NOW, frame(2)), packet(NOW + 1000n, frame(3))),
    )
    expect(first.frames).toEqual([
      [1, 0],
      [2, 0],
      [3, 1],
    ])
    const between = play(
      made.join(section(), describe1(), packet(NOW, frame(1)), packet(NOW + 3000n, frame(2)), simple(frame(3))),
    )
    expect(between.frames.map(([, ms]) => ms)).toEqual([0, 3, 3])
  })

  test('times that run backwards a little do not stretch the replay', () => {
    const times = [0n, 2000n, 1000n, 3000n, 2500n, 4000n]
    const bytes = made.join(section(), describe1(), ...times.map((time, i) => packet(NOW + time, frame(i))))
    expect(play(bytes).frames.map(([, ms]) => ms)).toEqual([0, 2, 2, 3, 3, 4])
  })

  test.each([
    ['seconds', resolution(0), 1_795_970_000n],
    ['2^-10 s', resolution(0x8a), 1_795_970_000n],
    ['10^-63 s', resolution(63), 5n],
  ])('any resolution, %s, is replayed in bounded time', (_, option, time) => {
    const bytes = made.join(
      section(),
      describe1(option),
      packet(time, frame(1)),
      packet(0xffff_ffff_ffff_ffffn, frame(2)),
    )
    const { frames } = play(bytes, { maxGapMs: 100 })
    expect(frames.map(([fill]) => fill)).toEqual([1, 2])
    expect(frames[1]![1]).toBeLessThanOrEqual(101)
  })

  test('classic pcap with far times is bounded too', () => {
    const bytes = made.pcap([
      [1_795_970_000, frame(0)],
      [0xffff_ffff, frame(1)],
      [1_795_970_001, frame(2)],
    ])
    expect(play(bytes).frames.map(([, ms]) => ms)).toEqual([0, 10_000, 10_000])
  })

  test('whatever the times are, all frames come, in order, within the longest gap for each', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { minLength: 1, maxLength: 20 }), (times) => {
        const bytes = made.join(section(), describe1(), ...times.map((time, i) => packet(time, frame(i))))
        const { frames } = play(bytes, { maxGapMs: 50 })
        expect(frames.map(([fill]) => fill)).toEqual(times.map((_, i) => i))
        expect(frames.at(-1)![1]).toBeLessThanOrEqual(50 * times.length + 1)
      }),
      { numRuns: 200 },
    )
  })
})

describe('sources of one replay', () => {
  test('have one time base, however late one of them begins', () => {
    const bytes = made.join(
      ...[section(), describe1(), describe1(), packet(NOW, frame(1), 0), packet(NOW + 4000n, frame(2), 1)],
      packet(NOW + 8000n, frame(3), 0),
    )
    let now = 100
    const clock = new ReplayClock(() => now)
    const [even, odd] = [0, 1].map(
      (index) =>
        new ReplaySource(() => openCapture(bytesSource(bytes)), {
          ...{ headerBytes: 12, pace: 'recorded', clock, share: { index, of: 2 } },
        }),
    )
    expect(even!.receive().count).toBe(1)
    even!.consume(1)
    expect(odd!.receive().count).toBe(0)
    expect(odd!.untilDueMs).toBe(4)
    now += 4
    expect(odd!.receive().count).toBe(1)
    expect(even!.receive().count).toBe(0)
    expect(even!.untilDueMs).toBe(4)
  })

  test('stand still while no driver is there', () => {
    let now = 0
    const clock = new ReplayClock(() => now)
    clock.elapsed()
    now = 30
    clock.pause()
    clock.pause()
    now = 1000
    expect(clock.elapsed()).toBe(30)
    now = 1005
    expect(clock.elapsed()).toBe(35)
  })

  test('a source without a frame of its own ends, also one that would begin again', () => {
    const bytes = made.join(section(), describe1(), packet(NOW, frame(1)))
    expect(play(bytes, { loop: true, share: { index: 1, of: 2 } }).frames).toEqual([])
  })
})

describe('replaying', () => {
  const six = made.join(section(), describe1(), ...[0, 1, 2, 3, 4, 5].map((i) => packet(NOW, frame(i, 60 + i))))
  const sourceOf = (bytes: Uint8Array, options: Partial<ReplayOptions> = {}): ReplaySource =>
    new ReplaySource(() => openCapture(bytesSource(bytes)), { headerBytes: 12, ...options })

  test('frames come in batches, each after an empty virtio-net header, once', () => {
    const source = sourceOf(six)
    const waiting = source.receive()
    expect(waiting.count).toBe(6)
    const at = waiting.offset[1]!
    expect([...waiting.view.u8.subarray(at, at + waiting.length[1]!)]).toEqual([...new Uint8Array(12), ...frame(1, 61)])
    source.consume(5)
    expect([source.receive().count, source.done]).toEqual([1, false])
    source.consume(1)
    expect([source.receive().count, source.done, source.consumed]).toEqual([0, true, 6])
    expect(source.untilDueMs).toBe(Number.POSITIVE_INFINITY)
  })

  test('a looping replay starts again, as often as it is asked', () => {
    const source = sourceOf(six, { loop: true, headerBytes: 10 })
    for (let taken = 0; taken < 600; ) {
      const { count } = source.receive()
      source.consume(count)
      taken += count
    }
    expect([source.done, source.consumed >= 600]).toEqual([false, true])
  })

  test('more frames than a batch holds, and frames of any length, all come', () => {
    const lengths = Array.from({ length: 500 }, (_, i) => 14 + ((i * 7919) % 65_000))
    const bytes = made.join(section(), describe1(), ...lengths.map((length, i) => packet(NOW, frame(i & 0xff, length))))
    const got: number[] = []
    const source = sourceOf(bytes)
    while (!source.done) {
      const { count, length } = source.receive()
      // A driver takes what it has room for.
      const taken = Math.ceil(count / 2)
      for (let i = 0; i < taken; i++) got.push(length[i]! - 12)
      source.consume(taken)
    }
    expect(got).toEqual(lengths)
  })

  test('cut frames, packets that are no frames and a cut file are said; what is malformed at the end loses nothing before it', () => {
    const bytes = made.join(
      ...[section(), describe1(), describe1(undefined, 101), packet(NOW, frame(1), 0, 1514), packet(NOW, frame(2), 1)],
      ...[packet(NOW, frame(3, 13)), packet(NOW, frame(4))],
    )
    const { frames, reports } = play(made.join(bytes, packet(NOW, frame(5)).subarray(0, 50)))
    expect(frames.map(([fill]) => fill)).toEqual([1, 4])
    expect(formatReplayReport(reports[0]!, 10_000)).toBe(
      `2 frames; 1 of them were cut when they were captured; 2 packets left out: no Ethernet; the file stops in the middle of a record at ${bytes.length}`,
    )
    const bad = packet(NOW, frame(5))
    bad[bad.length - 1] = 9
    const spoiled = play(made.join(bytes, bad))
    expect(spoiled.frames.length).toBe(2)
    expect(spoiled.reports[0]!.malformed).toMatch(new RegExp(`pcapng block at ${bytes.length}: closing length`))
  })

  test.each([[-1], [Number.NaN], [86_400_001]])('a longest gap of %s ms is refused', (maxGapMs) => {
    expect(() => sourceOf(six, { maxGapMs })).toThrow(/maxGapMs is .*; accepted: 0 to 86400000/)
  })
})

describe('a capture on disk', () => {
  const good = made.join(section(), describe1(), packet(NOW, frame(1)), packet(NOW, frame(2)))

  test('is replayed as it is and compressed by gzip, in one member or several', () => {
    for (const bytes of [
      good,
      gzipSync(good),
      made.join(gzipSync(good.subarray(0, 70)), gzipSync(good.subarray(70))),
    ]) {
      const file = ReplayFile.open(written(new Uint8Array(bytes)))
      const source = new ReplaySource(() => file.read(), { headerBytes: 12 })
      expect(source.receive().count).toBe(2)
      file.close()
    }
  })

  test('takes memory that does not grow with it: half a million frames through one window', () => {
    const one = made.join(...Array.from({ length: 1000 }, (_, i) => packet(NOW, frame(i & 255))))
    const path = written(made.join(section(), describe1(), ...Array.from({ length: 40 }, () => one)))
    const fd = openSync(path, 'r')
    const reader = openCapture(fileSource(fd))
    let packets = 0
    for (let step = reader.step(); step !== 'end'; step = reader.step()) if (step === 'packet') packets++
    expect([packets, reader.bytes.length]).toEqual([40_000, 256 << 10])
    closeSync(fd)
  })

  test.each([
    [
      'another major version of pcapng',
      made.join(section(2), describe1(), packet(NOW, frame(1))),
      /section at 0: version is "?2\.0"?; accepted: 1\.x/,
    ],
    ['another major version of pcap', made.pcap([[1, frame(1)]], 3), /pcap version is "?3\.4"?; accepted: 2\.x/],
    ['nothing', new Uint8Array(0), /0 bytes of an unknown format/],
    ['text', new TextEncoder().encode('hello there'), /unknown format.*accepted: pcapng, pcap/],
    ['no frame', made.join(section(), describe1()), /no Ethernet frame to replay/],
    [
      'a file that is cut in its first packet',
      good.subarray(0, 80),
      /no Ethernet frame.*in the middle of a record at 48/,
    ],
    [
      'gzip that is no gzip',
      new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff]),
      /gzip|unknown format/,
    ],
  ])('%s is refused, naming the file', (_, bytes, pattern) => {
    const path = written(bytes)
    expect(() => ReplayFile.open(path)).toThrow(pattern)
    expect(() => ReplayFile.open(path)).toThrow(new RegExp(`^${path}: `))
  })

  test('a directory and a missing file are refused by name', () => {
    expect(() => ReplayFile.open(directory)).toThrow(new RegExp(`^${directory}: is no regular file`))
    expect(() => ReplayFile.open('/nowhere/x')).toThrow(/^\/nowhere\/x: can't be opened: ENOENT/)
  })

  test('that is cut while it is replayed ends there, and says so', () => {
    const path = written(made.join(good, ...Array.from({ length: 9000 }, (_, i) => packet(NOW, frame(i & 255)))))
    const file = ReplayFile.open(path)
    const reports: ReplayReport[] = []
    const source = new ReplaySource(() => file.read(), { headerBytes: 12, onReport: (one) => reports.push(one) })
    source.consume(source.receive().count)
    truncateSync(path, 400_000)
    while (!source.done) source.consume(source.receive().count)
    expect(reports[0]!.truncatedAt).toBeLessThan(400_000)
    file.close()
  })
})
