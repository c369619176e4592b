import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SIGBUS_CODE } from './sigbus-code.ts'

const missing = ['clang', 'llvm-objcopy'].find((name) => spawnSync(name, ['--version']).status !== 0)

describe.skipIf(missing !== undefined)(
  `the SIGBUS handler${missing === undefined ? '' : ` (skipped: no ${missing})`}`,
  () => {
    let folder: string
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'vring-sigbus-'))
    })
    afterAll(() => rmSync(folder, { recursive: true, force: true }))

    test.each([
      ['x64', ['--target=x86_64-linux-gnu']],
      ['arm64', ['--target=aarch64-linux-gnu', '-march=armv8.5-a']],
    ] as const)('for %s is what its source assembles to', (arch, target) => {
      const source = fileURLToPath(new URL(`../machine-code/sigbus-${arch}.s`, import.meta.url))
      const [object, binary] = [join(folder, `${arch}.o`), join(folder, `${arch}.bin`)]
      expect(spawnSync('clang', [...target, '-c', source, '-o', object], { encoding: 'utf8' }).stderr).toBe('')
      spawnSync('llvm-objcopy', ['-O', 'binary', '-j', '.text', object, binary])
      expect(Buffer.from(SIGBUS_CODE[arch]!).toString('hex')).toBe(readFileSync(binary).toString('hex'))
    })
  },
)
