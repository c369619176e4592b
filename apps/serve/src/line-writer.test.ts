import { spawnSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LineWriter } from './line-writer.ts'

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
    writer.write('one\n')
    writer.write(`${'x'.repeat(10_000)}\n`)
    closeSync(fd)
    const [first, second] = readFileSync(path, 'utf8').split('\n')
    expect(first).toBe('one')
    expect([second!.length, second!.slice(-4)]).toEqual([4095, 'x...'])
  })

  test('that come too fast are counted, and that is said with the next one', () => {
    const path = join(folder, 'fast')
    const fd = openSync(path, 'w')
    let now = 0
    const writer = new LineWriter(fd, { burst: 2, perSecond: 1, now: () => now })
    for (let i = 0; i < 10; i++) writer.write(`line ${i}\n`)
    expect(writer.leftOut).toBe(8)
    now = 1000
    writer.write('later\n')
    writer.write('again\n')
    closeSync(fd)
    expect(readFileSync(path, 'utf8').trim().split('\n')).toEqual([
      'line 0',
      'line 1',
      'vring-serve: 8 lines were left out',
      'later',
    ])
    expect(writer.leftOut).toBe(1)
  })

  test('into a pipe that is not read are left out once it is full, without a wait; read, they come again', () => {
    const path = join(folder, 'pipe')
    spawnSync('mkfifo', [path])
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const fd = openSync(path, 'w')
    const writer = new LineWriter(fd, { burst: Number.POSITIVE_INFINITY })
    for (let i = 0; i < 5000; i++) writer.write(`${'x'.repeat(100)}\n`)
    expect(writer.leftOut).toBeGreaterThan(1000)
    const lost = writer.leftOut
    const into = Buffer.alloc(65_536)
    while (readSync(reader, into) === into.length);
    writer.write('read again\n')
    expect(writer.leftOut).toBe(0)
    expect(into.subarray(0, readSync(reader, into)).toString()).toBe(
      `vring-serve: ${lost} lines were left out\nread again\n`,
    )
    closeSync(reader)
    writer.write('without a reader\n')
    expect(writer.leftOut).toBe(1)
    closeSync(fd)
  })
})
