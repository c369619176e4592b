import { spawnSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { LineWriter, type LineWriterOptions } from './line-writer.ts'
import { createLog, type LogConfig, type LogLine, logOf } from './log.ts'

const TEXT: LogConfig = { level: 'info', format: 'text' }

/** A line that a log of text makes. */
function made(text: string): LogLine {
  const lines: LogLine[] = []
  createLog(TEXT, (line) => void lines.push(line))(text)
  return lines[0]!
}

describe('lines for people', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-lines-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  test('are written as they come, cut where they would be written in pieces', () => {
    const path = join(folder, 'lines')
    const fd = openSync(path, 'w')
    const writer = new LineWriter(fd)
    writer.write(made('one'))
    writer.write(made('x'.repeat(10_000)))
    closeSync(fd)
    const [first, second] = readFileSync(path, 'utf8').split('\n')
    expect(first).toBe('vring-serve: one')
    expect([second!.length, second!.slice(-4)]).toEqual([4095, 'x...'])
  })

  /** Collects what `work` has a writer write. */
  function written(name: string, options: LineWriterOptions, work: (writer: LineWriter) => void): string[] {
    const path = join(folder, name)
    const fd = openSync(path, 'w')
    work(new LineWriter(fd, options))
    closeSync(fd)
    return readFileSync(path, 'utf8').trim().split('\n')
  }

  test('that come too fast wait, those of one kind as one that counts them', () => {
    let now = 0
    const lines = written('fast', { burst: 2, perSecond: 1, now: () => now }, (writer) => {
      for (let i = 0; i < 10; i++) writer.write(made(`line ${i}`))
      writer.write(made('the last but one'))
      expect(writer.waiting).toBe(9)
      now = 1000
      writer.write(made('later'))
      expect(writer.waiting).toBe(2)
      now = 3000
      writer.write(made('again'))
      expect(writer.waiting).toBe(1)
    })
    expect(lines).toEqual([
      'vring-serve: line 0',
      'vring-serve: line 1',
      'vring-serve: 8 lines like this were left out, the last: line 9',
      'vring-serve: the last but one',
      'vring-serve: later',
    ])
  })

  test('never cost a reason: of forty sessions, each way to be refused is said, and how often', () => {
    const lines = written('refused', { burst: 10, now: () => 0 }, (writer) => {
      const log = createLog(TEXT, (line) => writer.write(line))
      const [one, other] = [logOf(log, 'vm1'), logOf(log, 'vm2')]
      for (let i = 0; i < 40; i++) {
        one(`a driver connected: pid ${i}, uid 0`)
        one(`the driver's session ended: size ${i} is no power of two`)
      }
      one('queue 1 is broken: descriptor-loop')
      other("the driver's session ended: size 3 is no power of two")
      writer.end()
    })
    expect(lines.slice(10)).toEqual([
      'vring-serve: 35 lines like this were left out, the last: vm1: a driver connected: pid 39, uid 0',
      "vring-serve: 35 lines like this were left out, the last: vm1: the driver's session ended: size 39 is no power of two",
      'vring-serve: vm1: queue 1 is broken: descriptor-loop',
      "vring-serve: vm2: the driver's session ended: size 3 is no power of two",
    ])
  })

  test('of kinds without end are counted together, and cost those of others nothing', () => {
    const lines = written('kinds', { burst: 0, now: () => 0 }, (writer) => {
      const log = createLog({ level: 'debug', format: 'json' }, (line) => writer.write(line))
      const hostile = logOf(log, 'vm1')
      for (let i = 0; i < 10_000; i++) hostile('x'.repeat(1 + (i % 400)))
      logOf(log, 'vm2')('queue 0 is broken: bad-head', 'warn')
      log('printed', 'debug')
      log('printed again', 'debug')
      expect(writer.waiting).toBe(10_003)
      writer.end()
    }).map((line) => (JSON.parse(line) as { message: string }).message)
    expect(lines).toHaveLength(64 + 3)
    expect(lines.slice(64)).toEqual([
      `8400 other lines were left out, the last: vm1: ${'x'.repeat(400)}`,
      'vm2: queue 0 is broken: bad-head',
      '2 other lines were left out, the last: printed again',
    ])
  })

  test('that wait are written though nothing follows them', () => {
    vi.useFakeTimers()
    try {
      const lines = written('alone', { burst: 1, perSecond: 1 }, (writer) => {
        writer.write(made('one'))
        writer.write(made('two'))
        writer.write(made('three'))
        vi.advanceTimersByTime(2000)
        expect(writer.waiting).toBe(0)
        expect(vi.getTimerCount()).toBe(0)
      })
      expect(lines).toEqual(['vring-serve: one', 'vring-serve: two', 'vring-serve: three'])
    } finally {
      vi.useRealTimers()
    }
  })

  test('into a pipe that is not read wait once it is full, without a wait of the writer; read, they come', () => {
    const path = join(folder, 'pipe')
    spawnSync('mkfifo', [path])
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const fd = openSync(path, 'w')
    const writer = new LineWriter(fd, { burst: Number.POSITIVE_INFINITY })
    for (let i = 0; i < 5000; i++) writer.write(made('x'.repeat(100)))
    expect(writer.waiting).toBeGreaterThan(1000)
    const lost = writer.waiting
    const into = Buffer.alloc(65_536)
    while (readSync(reader, into) === into.length);
    writer.write(made('read again'))
    expect(writer.waiting).toBe(0)
    expect(into.subarray(0, readSync(reader, into)).toString()).toBe(
      `vring-serve: ${lost} lines like this were left out, the last: ${'x'.repeat(100)}\nvring-serve: read again\n`,
    )
    closeSync(reader)
    writer.write(made('without a reader'))
    expect(writer.waiting).toBe(1)
    writer.end()
    closeSync(fd)
  })
})
