import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { busyReasons, finishEnvironment, parseCpuTimes, readMitigations, startEnvironment } from './environment.ts'

describe('environment', () => {
  it('says what the run was measured on', () => {
    const { cpu, cores, node, v8, kernel, steal } = finishEnvironment(startEnvironment())
    expect(cpu.length).toBeGreaterThan(0)
    expect(cores).toBeGreaterThan(0)
    expect(node).toBe(process.version)
    expect(v8).toBe(process.versions.v8)
    expect(kernel).toMatch(/\S+ \S+/)
    if (steal !== null) expect(steal).toBeGreaterThanOrEqual(0)
  })

  it('names the commit of its own sources, wherever it is run', () => {
    const { git } = startEnvironment().environment
    const here = process.cwd()
    const elsewhere = mkdtempSync(join(tmpdir(), 'vring-bench-'))
    try {
      process.chdir(elsewhere)
      spawnSync('git', ['init', '-q'])
      expect(startEnvironment().environment.git).toBe(git)
    } finally {
      process.chdir(here)
      rmSync(elsewhere, { recursive: true })
    }
  })

  it('reads the first line of /proc/stat', () => {
    const stat = 'cpu  100 5 50 1000 20 0 3 7 0 0\ncpu0 50 2 25 500 10 0 1 3 0 0\n'
    expect(parseCpuTimes(stat)).toEqual({ total: 1185, steal: 7 })
    expect(parseCpuTimes('intr 1 2 3')).toBeNull()
    expect(parseCpuTimes('cpu  1 2 3')).toBeNull()
  })

  it('calls a machine busy that had load before, or lost time to its hypervisor', () => {
    expect(busyReasons(0.1, 0.001)).toEqual([])
    expect(busyReasons(0.1, null)).toEqual([])
    expect(busyReasons(1.7, 0.034)).toEqual([
      'load was 1.7 before the run began',
      '3.4 % of CPU time was stolen by the hypervisor',
    ])
  })

  it('a kernel that does not tell its mitigations leaves them empty', () => {
    expect(readMitigations('/no/such/directory')).toEqual({})
  })
})
