import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLOSE_CHILD_CODE } from './close-child-code.ts'
import { SIGBUS_CODE } from './sigbus-code.ts'

const missing = ['clang', 'llvm-objcopy'].find((name) => spawnSync(name, ['--version']).status !== 0)

describe.skipIf(missing !== undefined)(
  `machine code${missing === undefined ? '' : ` (skipped: no ${missing})`}`,
  () => {
    let folder: string
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'vring-code-'))
    })
    afterAll(() => rmSync(folder, { recursive: true, force: true }))

    const targets = {
      x64: ['--target=x86_64-linux-gnu'],
      arm64: ['--target=aarch64-linux-gnu', '-march=armv8.5-a'],
    } as const
    test.each([
      ['sigbus', 'x64', SIGBUS_CODE.x64],
      ['sigbus', 'arm64', SIGBUS_CODE.arm64],
      ['close-child', 'x64', CLOSE_CHILD_CODE.x64],
      ['close-child', 'arm64', CLOSE_CHILD_CODE.arm64],
    ] as const)('%s for %s is what its source assembles to', (name, arch, code) => {
      const target = targets[arch]
      const source = fileURLToPath(new URL(`../../machine-code/${name}-${arch}.s`, import.meta.url))
      const [object, binary] = [join(folder, `${arch}.o`), join(folder, `${arch}.bin`)]
      expect(spawnSync('clang', [...target, '-c', source, '-o', object], { encoding: 'utf8' }).stderr).toBe('')
      spawnSync('llvm-objcopy', ['-O', 'binary', '-j', '.text', object, binary])
      expect(Buffer.from(code!).toString('hex')).toBe(readFileSync(binary).toString('hex'))
    })
  },
)
