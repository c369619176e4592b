import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { unsupportedHost } from '@vring/linux'
import { afterAll, describe, expect, test } from 'vitest'
import { DaemonProcess, until } from './daemon-process.ts'
import { TestDriver } from './test-driver.ts'

const missing = spawnSync('prometheus', ['--version']).error === undefined ? null : 'needs prometheus'
const reason = unsupportedHost() ?? missing
const DASHBOARD = fileURLToPath(new URL('../grafana/vring-serve.json', import.meta.url))

interface Panel {
  readonly title: string
  readonly targets: readonly { readonly expr: string }[]
}

describe.skipIf(reason !== null)(`the dashboard${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'vring-prometheus-'))
  let daemon: DaemonProcess | undefined
  let prometheus: ChildProcess | undefined
  afterAll(async () => {
    prometheus?.kill('SIGKILL')
    if (daemon?.child.exitCode === null) await daemon.end('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  test('each of its queries is evaluated by Prometheus over scrapes of a daemon that serves a driver', {
    timeout: 90_000,
  }, async () => {
    const config = join(folder, 'config.json')
    const socket = join(folder, 'a.sock')
    writeFileSync(config, JSON.stringify({ devices: [{ name: 'one', socket, backend: 'loopback' }] }))
    daemon = new DaemonProcess(['--config', config, '--metrics', '127.0.0.1:0'], { from: 'built' })
    const [, url] = await daemon.says(/metrics on http:\/\/(\S+?)\/\n/)
    const driver = new TestDriver(socket)
    writeFileSync(
      join(folder, 'prometheus.yml'),
      `global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: vring\n    static_configs:\n      - targets: ['${url}']\n`,
    )
    const port = 20_000 + (process.pid % 20_000)
    const api = `http://127.0.0.1:${port}`
    const flags = [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'tsdb')}`]
    prometheus = spawn('prometheus', [...flags, `--web.listen-address=127.0.0.1:${port}`], { stdio: 'ignore' })
    const query = async (expression: string): Promise<{ status: string; found: number; error?: string }> => {
      const response = await fetch(`${api}/api/v1/query?query=${encodeURIComponent(expression)}`)
      const answer = (await response.json()) as { status: string; error?: string; data?: { result: unknown[] } }
      return {
        status: answer.status,
        found: answer.data?.result.length ?? 0,
        ...(answer.error ? { error: answer.error } : {}),
      }
    }
    await until('scrapes', async () => {
      driver.flood()
      const up = await query('count_over_time(vring_connected[30s]) > 5').catch(() => null)
      return up !== null && up.found > 0
    })
    const { panels } = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as { panels: Panel[] }
    expect(panels.length).toBeGreaterThan(8)
    const empty: string[] = []
    for (const { title, targets } of panels)
      for (const { expr } of targets) {
        const text = expr.replaceAll('$__rate_interval', '10s').replaceAll('$device', '.*').replaceAll('$job', '.*')
        const { status, found, error } = await query(text)
        expect([title, expr, status, error]).toEqual([title, expr, 'success', undefined])
        if (found === 0) empty.push(expr)
      }
    // A loopback has no interface; the others have something to show.
    expect(empty.filter((expr) => !/vring_link_|> 0$/.test(expr))).toEqual([])
    driver.close()
  })

  const noSystemd = spawnSync('systemd-analyze', ['--version']).error !== undefined
  test.skipIf(noSystemd)('the units are as systemd wants them (needs systemd-analyze)', () => {
    for (const unit of ['vring-serve@.service', 'vring-serve@.socket']) {
      const copy = join(folder, unit)
      cpSync(new URL(`../systemd/${unit}`, import.meta.url), copy)
      writeFileSync(copy, readFileSync(copy, 'utf8').replace('/usr/bin/vring-serve', process.execPath))
    }
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', join(folder, 'vring-serve@vm1.service')], {
      encoding: 'utf8',
    })
    expect([status, stderr.split('\n').filter((line) => line.includes('vring-serve'))]).toEqual([0, []])
  })
})
