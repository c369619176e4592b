import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { unsupportedHost } from '../libc.ts'
import { systemErrnoOf } from '../system-error.ts'
import { withFifo } from './scheduling.ts'

const reason = unsupportedHost()

/** The policy of the calling thread: 0 is SCHED_OTHER, 1 SCHED_FIFO. Source: proc(5), field 41 of stat. */
function policy(): number {
  const stat = readFileSync('/proc/thread-self/stat', 'utf8')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[38])
}

describe.skipIf(reason !== null)(`SCHED_FIFO${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  test('lasts as long as the work, also when that throws; without the privilege the work does not begin', () => {
    const inside: number[] = []
    const run = (): void =>
      withFifo(() => {
        inside.push(policy())
        throw new Error('enough')
      })
    try {
      run()
    } catch (error) {
      const refused = systemErrnoOf(error)
      if (refused === null) expect(inside).toEqual([1])
      else expect([refused, inside]).toEqual(['EPERM', []])
    }
    expect(policy()).toBe(0)
  })

  test('a process that dies with its parent does so while it is stopped', () => {
    const linux = new URL('../index.ts', import.meta.url).href
    const child = `import(${JSON.stringify(linux)}).then(({ dieWithParent }) => { dieWithParent(); console.log('here'); setInterval(() => {}, 1000) })`
    const args = ['--import', 'tsx', '--conditions=@vring/source', '-e', child]
    // The parent stops its child and ends; the child's own end is looked for in /proc.
    const parent = [
      "const { spawn } = require('node:child_process')",
      `const child = spawn(process.execPath, ${JSON.stringify(args)}, { stdio: ['ignore', 'pipe', 'inherit'] })`,
      "child.stdout.once('data', () => { child.kill('SIGSTOP'); console.log(child.pid); setTimeout(() => process.exit(0), 50) })",
    ].join('\n')
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', parent], { encoding: 'utf8', timeout: 60_000 })
    const pid = Number(stdout.trim())
    expect(pid, stderr).toBeGreaterThan(0)
    const end = performance.now() + 10_000
    while (isThere(pid) && performance.now() < end);
    expect(isThere(pid)).toBe(false)
  }, 90_000)
})

/** Is it more than an entry that its parent has not looked at? */
function isThere(pid: number): boolean {
  try {
    return !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
