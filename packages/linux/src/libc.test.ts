import { spawnSync } from 'node:child_process'
import { isVringError, VringError } from '@vring/layout'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { unsupportedHost } from './libc.ts'
import { systemErrnoName, systemErrnoOf, systemError } from './system-error.ts'

describe('another operating system', () => {
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.resetModules()
  })

  test('imports the package, and is told at the first call what is accepted', async () => {
    vi.stubGlobal('process', { ...process, platform: 'win32', arch: 'x64' })
    expect(unsupportedHost()).toBe('the platform is win32; accepted: linux')
    vi.resetModules()
    const { UnixSocket } = await import('./sockets/unix-socket.ts')
    try {
      UnixSocket.pair()
      expect.unreachable()
    } catch (error) {
      expect(isVringError(error) && error.code).toBe('ERR_UNSUPPORTED')
    }
  })
})

describe('a system error', () => {
  test('names the call and the errno', () => {
    const error = systemError('mmap', 12, '4096 bytes')
    expect(error.message).toBe('mmap: ENOMEM (4096 bytes)')
    expect(error).toMatchObject({ code: 'ERR_SYSTEM', field: 'mmap', value: 'ENOMEM' })
    expect(systemErrnoOf(error)).toBe('ENOMEM')
    expect(systemErrnoOf(new VringError('ERR_CLOSED', 'closed'))).toBeNull()
    expect(systemErrnoName(99_999)).toBe('errno 99999')
  })
})

test('importing loads no foreign code', () => {
  const script =
    "import('./packages/linux/src/index.ts').then(() => process.exit(process.report.getReport().sharedObjects.some((name) => name.includes('koffi')) ? 1 : 0))"
  const run = spawnSync(process.execPath, ['--import', 'tsx', '--conditions', '@vring/source', '-e', script], {
    encoding: 'utf8',
  })
  expect(run.stderr).toBe('')
  expect(run.status).toBe(0)
})
