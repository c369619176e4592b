import { describe, expect, test } from 'vitest'
import { unsupportedHost } from '../libc.ts'
import { missingProtection } from './missing-protection.ts'

const reason = unsupportedHost()

describe.skipIf(reason !== null)(`what a host lacks${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  test('is nothing where code may run, and one line on riscv64', () => {
    if (process.arch !== 'riscv64') expect(missingProtection()).toBeNull()
    expect(missingProtection('riscv64')).toMatch(
      /^no SIGBUS handler for riscv64: .*ends this process.*close\(2\) waits/,
    )
  })

  test('is told where memory may not be made executable', () => {
    // Code of another processor is refused as executable memory would be.
    const other = process.arch === 'arm64' ? 'x64' : 'arm64'
    expect(missingProtection(other)).toMatch(/^no executable memory \(.*\): guarded memory is refused/)
  })
})
