import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { directory, path, view } from '../test/capture-fixture.ts'
import { CaptureFile, readCapture } from './index.ts'

describe('files of a capture', () => {
  const packets = (name: string): number => readCapture(new Uint8Array(readFileSync(name))).packets.length

  test('a file that is there is not overwritten, unless that is asked for', () => {
    const name = path()
    writeFileSync(name, 'precious')
    expect(() => new CaptureFile(name)).toThrow(/EEXIST \(a file is there; overwrite replaces it\)/)
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
