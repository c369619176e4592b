import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { unsupportedHost } from '@vring/linux'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseResults } from '../src/results.ts'
import { vringBench } from './cli.ts'

const found = ['/usr/bin/dpdk-testpmd', '/usr/local/bin/dpdk-testpmd'].some((path) => existsSync(path))
const reason =
  unsupportedHost() ??
  (found ? null : 'dpdk-testpmd (Debian package dpdk-dev) is missing') ??
  (availableParallelism() < 2 ? 'driver and device need a CPU each' : null)

const hugePages = (): string => readFileSync('/proc/sys/vm/nr_hugepages', 'utf8').trim()

describe.skipIf(reason !== null)(`run --driver testpmd${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-bench-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('measures accessors and DPDK’s own vhost against the same driver, and gives huge pages back', async () => {
    const before = hugePages()
    const file = join(folder, 'testpmd.json')
    const accessors = ['copy-checked', 'nospec-masked', 'vmap-direct']
    const { code, stderr } = await vringBench([
      ...['run', '--driver', 'testpmd', '--accessor', accessors.join(','), '--peer', 'dpdk'],
      ...['--trials', '2', '--duration-ms', '300', '--json', file],
    ])
    expect(stderr).toBe('')
    expect(code).toBe(0)
    const { cells, peers } = parseResults(readFileSync(file, 'utf8'), file)
    expect(cells.map(({ accessor }) => accessor)).toEqual(accessors)
    for (const cell of cells) {
      expect(cell.failure).toBeUndefined()
      expect(cell.measured?.trials).toHaveLength(2)
      expect(cell.measured?.mpps.median).toBeGreaterThan(0.1)
      expect(cell.residentBytes).toBeLessThan(250 * 2 ** 20)
    }
    expect(new Set(cells.map(({ hash }) => hash)).size).toBe(1)
    expect(Object.keys(cells[2]!.accesses)).toContain('desc.direct')
    expect(peers).toHaveLength(1)
    expect(peers[0]).toMatchObject({ name: 'DPDK', version: expect.stringMatching(/^\d+\.\d+/) })
    expect(peers[0]!.mpps.median).toBeGreaterThan(0.1)
    expect(hugePages()).toBe(before)
  })
})
