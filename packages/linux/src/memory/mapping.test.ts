import { isVringError } from '@vring/layout'
import { describe, expect, test } from 'vitest'
import { closeFd, statFd } from '../descriptors/fd.ts'
import { unsupportedHost } from '../libc.ts'
import { processResources } from '../processes/process-resources.ts'
import { systemErrnoOf } from '../system-error.ts'
import { isFilled, Mapping, pageBytesOf, WINDOW_BYTES_MAX } from './mapping.ts'
import { createMemfd } from './memfd.ts'

const reason = unsupportedHost()

describe.skipIf(reason !== null)(`a mapping${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  test('shows one memory through every view, the descriptor closed or not', () => {
    const fd = createMemfd('views', 16384)
    const one = Mapping.of(fd, { length: 16384 })
    const other = Mapping.of(fd, { length: 8192, offset: 8192 })
    closeFd(fd)
    Atomics.store(new Uint32Array(one.buffer), 2048, 7)
    expect(Atomics.load(new Uint32Array(other.buffer), 0)).toBe(7)
    one.unmap()
    other.unmap()
  })

  test('revoked, its views read zero; the file keeps what was written', () => {
    const fd = createMemfd('revoked', 4096)
    const mapping = Mapping.of(fd, { length: 4096 })
    const view = new Uint8Array(mapping.buffer)
    view[5] = 9
    mapping.revoke()
    expect(view[5]).toBe(0)
    expect(mapping.state).toBe('revoked')
    mapping.revoke()
    const again = Mapping.of(fd, { length: 4096, readOnly: true })
    expect(new Uint8Array(again.buffer)[5]).toBe(9)
    for (const one of [mapping, again]) one.unmap()
    mapping.unmap()
    closeFd(fd)
  })

  test('more than one window: neighbours that continue each other', () => {
    const fd = createMemfd('windows', 12288)
    const whole = Mapping.of(fd, { length: 12288 })
    const cut = Mapping.of(fd, { length: 12288, windowBytes: 8192 })
    expect(cut.windows.map(({ offset, length }) => [offset, length])).toEqual([
      [0, 8192],
      [8192, 4096],
    ])
    new Uint8Array(whole.buffer)[8192] = 3
    expect(new Uint8Array(cut.windows[1]!.buffer)[0]).toBe(3)
    expect(() => cut.buffer).toThrow('one window')
    whole.unmap()
    cut.unmap()
    closeFd(fd)
  })

  test('more than 4 GiB, which one ArrayBuffer does not survive, comes in windows and reaches its last byte', () => {
    const bytes = 5 * 2 ** 30
    const fd = createMemfd('large', bytes)
    const mapping = Mapping.of(fd, { length: bytes })
    expect(mapping.windows).toHaveLength(bytes / WINDOW_BYTES_MAX)
    const last = new Uint8Array(mapping.windows.at(-1)!.buffer)
    last[last.length - 1] = 1
    mapping.unmap()
    const end = Mapping.of(fd, { length: 4096, offset: bytes - 4096 })
    expect(new Uint8Array(end.buffer)[4095]).toBe(1)
    end.unmap()
    closeFd(fd)
  })

  test('refuses lengths, offsets and windows that can not be, and says why mmap failed', () => {
    const fd = createMemfd('refused', 4096)
    expect(statFd(fd)).toMatchObject({ isRegular: true, size: 4096 })
    for (const options of [{ length: 0 }, { length: 6 }, { length: 4096, offset: 12 }])
      expect(() => Mapping.of(fd, options)).toThrow('accepted: ')
    expect(() => Mapping.of(fd, { length: 4096, windowBytes: 2 ** 33 })).toThrow('windowBytes')
    closeFd(fd)
    expect(errnoOf(() => Mapping.of(fd, { length: 4096 }))).toBe('EBADF')
  })

  test('a memfd is sealed: a mapping of it keeps its pages', async () => {
    const { ftruncateSync } = await import('node:fs')
    const fd = createMemfd('sealed', 8192)
    expect(() => ftruncateSync(fd, 4096)).toThrow('EPERM')
    closeFd(fd)
    expect(() => createMemfd('odd', 100)).toThrow('a positive multiple of 4096')
    expect(() => createMemfd('huge', 4096, { hugePages: '2M' })).toThrow(`a positive multiple of ${2 ** 21}`)
  })

  test('knows the pages of its file', () => {
    expect(pageBytesOf(new ArrayBuffer(8))).toBe(4096)
    for (const [options, pageBytes] of [
      [{}, 4096],
      [{ hugePages: '2M' }, 2 ** 21],
    ] as const) {
      const fd = createMemfd('pages', 2 ** 21, options)
      let mapping: Mapping
      try {
        mapping = Mapping.of(fd, { length: 2 ** 21 })
      } catch (error) {
        // Huge pages are taken when they are mapped: where none is free, that is said now, and not by SIGBUS.
        expect([pageBytes, systemErrnoOf(error)]).toEqual([2 ** 21, 'ENOMEM'])
        expect(String(error)).toContain('in huge pages of 2097152 bytes')
        continue
      } finally {
        closeFd(fd)
      }
      expect(mapping.pageBytes).toBe(pageBytes)
      expect(pageBytesOf(mapping.buffer)).toBe(pageBytes)
      mapping.unmap()
    }
  })

  test('knows whether its file had all of its pages', () => {
    expect(isFilled(new ArrayBuffer(8))).toBe(false)
    const fd = createMemfd('holes', 3 * 4096)
    const filled = [0, 0, 2, 1].map((page, step) => {
      const mapping = Mapping.of(fd, { length: 3 * 4096 })
      const answer = isFilled(mapping.buffer)
      if (step > 0) new Uint8Array(mapping.buffer)[page * 4096] = 1
      mapping.unmap()
      return answer
    })
    const mapping = Mapping.of(fd, { length: 3 * 4096 })
    closeFd(fd)
    expect([...filled, isFilled(mapping.buffer)]).toEqual([false, false, false, false, true])
    mapping.unmap()
  })

  test('is gone when it is unmapped', () => {
    const before = processResources().mappings
    const fd = createMemfd('gone', 4096)
    for (let i = 0; i < 10; i++) Mapping.of(fd, { length: 4096 }).unmap()
    closeFd(fd)
    expect(processResources().mappings).toBeLessThanOrEqual(before + 1)
  })
})

function errnoOf(run: () => unknown): string | null {
  try {
    run()
  } catch (error) {
    expect(isVringError(error)).toBe(true)
    return systemErrnoOf(error)
  }
  return null
}
