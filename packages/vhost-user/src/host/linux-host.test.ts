import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { closeFd, createMemfd, EventFd, fileSystemOf, unsupportedHost } from '@vring/linux'
import { LazyView } from '@vring/memory'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLinuxHost } from './linux-host.ts'

const reason = unsupportedHost()

describe.skipIf(reason !== null)(`memory of a frontend${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  let disk: number
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-memory-'))
    disk = openSync(join(folder, 'file'), 'w+')
    ftruncateSync(disk, 8192)
  })
  afterAll(() => {
    closeSync(disk)
    rmSync(folder, { recursive: true })
  })

  test('a memfd is taken; no view is made before it is used', () => {
    const fd = createMemfd('memory', 8192)
    const memory = createLinuxHost().mapMemory(fd, 4096, 4096)
    const view = memory.windows[0]!.view as LazyView
    expect([memory.windows.length, view instanceof LazyView, view.made, memory.faults]).toEqual([1, true, null, 0])
    expect(view.make().u8[0]).toBe(0)
    memory.close()
    closeFd(fd)
  })

  test('a file on a disk is taken when any file may be, and then it is said once what that means', () => {
    const { name } = fileSystemOf(disk)
    if (name === 'tmpfs') return
    expect(() => createLinuxHost().mapMemory(disk, 0, 4096)).toThrow(
      `memory is a file in ${name}; accepted: tmpfs, hugetlbfs`,
    )
    const notes: string[] = []
    const host = createLinuxHost({ files: 'any', onNote: (line) => notes.push(line) })
    for (let i = 0; i < 2; i++) host.mapMemory(disk, 0, 4096).close()
    expect(notes).toEqual([
      `the driver's memory is a file in ${name}: a full disk ends its session, a slow one holds the whole thread`,
    ])
  })

  test('what is no file of memory is refused whatever may be: devices, directories, sockets, files of the kernel', () => {
    const host = createLinuxHost({ files: 'any' })
    const event = EventFd.create()
    for (const [path, message] of [
      ['/dev/null', 'memory is a file in devtmpfs'],
      ['/', 'memory is no regular file'],
      ['/proc/self/maps', 'memory is a file in proc'],
    ] as const) {
      const fd = openSync(path, 'r')
      expect(() => host.mapMemory(fd, 0, 4096), path).toThrow(message)
      closeSync(fd)
    }
    expect(() => host.mapMemory(event.fd, 0, 4096)).toThrow('memory is in no file system that is mounted here')
    event.close()
  })

  test('a file that can be shortened is refused where it must be sealed', () => {
    const host = createLinuxHost({ requireSealed: true })
    for (const sealed of [true, false]) {
      const fd = createMemfd('seal', 4096, { sealed })
      if (sealed) host.mapMemory(fd, 0, 4096).close()
      else expect(() => host.mapMemory(fd, 0, 4096)).toThrow('accepted: one with F_SEAL_SHRINK')
      closeFd(fd)
    }
  })

  test('a region beyond the end of its file is refused', () => {
    const fd = createMemfd('short', 8192)
    expect(() => createLinuxHost().mapMemory(fd, 4096, 8192)).toThrow(
      'region end is 12288; accepted: at most 8192, the size of its file',
    )
    closeFd(fd)
  })

  test('two descriptors of one file are the same, those of two are not', () => {
    const { fileIdentity } = createLinuxHost()
    const fds = [createMemfd('a', 4096), createMemfd('a', 4096)] as const
    expect(fileIdentity(fds[0])).toBe(fileIdentity(fds[0]))
    expect(fileIdentity(fds[0])).not.toBe(fileIdentity(fds[1]))
    for (const fd of fds) closeFd(fd)
  })
})
