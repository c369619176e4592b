import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const CLI = fileURLToPath(new URL('./cli.ts', import.meta.url))

/** What `vring-serve --help` prints to a pipe. */
async function usage(env: Readonly<Record<string, string>>): Promise<string> {
  const args = ['--import', 'tsx', '--conditions=@vring/source', CLI, '--help']
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, ...env } })
  return stdout
}

test('usage that goes to no terminal has no colours and fits into 80 columns', async () => {
  const text = await usage({ NO_COLOR: '', FORCE_COLOR: '', TEST: '', CI: '', TERM: 'xterm' })
  expect(text).toContain('--socket')
  expect(text).not.toContain('\u001b')
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
}, 60_000)
