import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { unsupportedHost } from '@vring/linux'
import { describe, expect, test } from 'vitest'
import { until } from './daemon-process.ts'

const isRoot = process.getuid?.() === 0
const reason = unsupportedHost() ?? (isRoot ? null : 'needs root')
const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url))

function latency(args: readonly string[], by: readonly string[] = []) {
  const [command, ...rest] = [...by, process.execPath, CLI, 'latency', ...args]
  return spawnSync(command!, rest, { encoding: 'utf8', timeout: 100_000 })
}

describe.skipIf(reason !== null)(`vring-serve latency${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  test('times frames that wake the daemon, and frames that find it awake', () => {
    const { status, stdout, stderr } = latency(['--frames', '300', '--bytes', '128', '--accessor', 'copy-checked'])
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toContain('128 bytes, accessor copy-checked')
    const rows = [...stdout.matchAll(/^daemon (asleep|awake) +300 +(\d+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+)$/gm)]
    expect(rows.map(([, name]) => name)).toEqual(['asleep', 'awake'])
    for (const [, , kicks, ...quantiles] of rows) {
      expect(Number(kicks)).toBeLessThanOrEqual(300)
      const [p50, p90, p99, longest] = quantiles.map(Number) as [number, number, number, number]
      expect(p50).toBeGreaterThan(0)
      expect([p50, p90, p99, longest]).toEqual([p50, p90, p99, longest].sort((a, b) => a - b))
    }
    // After a pause of 1 ms it sleeps, unless the machine kept it from that.
    expect(Number(rows[0]![2])).toBeGreaterThan(200)
    expect(spawnSync('ip', ['link', 'show', 'vringlat0']).status).not.toBe(0)
  })

  test('SIGUSR1 opens no debugger, and it goes on', async () => {
    const child = spawn(process.execPath, [CLI, 'latency', '--frames', '200'], { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (text) => {
      said += text
    })
    const closed = once(child, 'close')
    // It is at work when it has a network namespace of its own.
    const mine = readlinkSync('/proc/self/ns/net')
    await until('its namespace', () => readlinkSync(`/proc/${child.pid}/ns/net`) !== mine)
    for (let i = 0; i < 3; i++) {
      child.kill('SIGUSR1')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(await closed).toEqual([0, null])
    expect(said).toBe('')
  })

  test('without privilege, or with a size that no frame has, it is one line and an exit code', () => {
    const unprivileged = latency([], ['setpriv', '--bounding-set', '-sys_admin'])
    expect([unprivileged.status, unprivileged.stderr]).toEqual([
      4,
      expect.stringMatching(/latency: .*EPERM.*needs root/),
    ])
    const tooLong = latency(['--bytes', '1515'])
    expect([tooLong.status, tooLong.stderr]).toEqual([
      2,
      expect.stringMatching(/--bytes: "1515" .*accepted: an integer from 18 to 1514/),
    ])
    expect(latency(['--what']).status).toBe(2)
    expect(latency(['--help']).stdout).toContain('vring-serve latency [options]')
  })
})
