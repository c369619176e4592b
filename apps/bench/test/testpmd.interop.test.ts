import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { unsupportedHost } from '@vring/linux'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseResults } from '../src/results/parse-results.ts'
import { vringBench } from './cli.ts'

const found = ['/usr/bin/dpdk-testpmd', '/usr/local/bin/dpdk-testpmd'].some((path) => existsSync(path))
const reason =
  unsupportedHost() ??
  (found ? null : 'dpdk-testpmd (Debian package dpdk-dev) is missing') ??
  (availableParallelism() < 2 ? 'driver and device need a CPU each' : null)

/** Folders of runs; tsx keeps its cache there too. */
const folders = (tmp: string): string[] => readdirSync(tmp).filter((name) => name.startsWith('vring-'))
/** Interfaces of runs that are not in their namespaces. */
const links = (): string[] => readdirSync('/sys/class/net').filter((name) => /^vring-(near|far|peer)$/.test(name))

/** Command lines of testpmd and peers that match. */
function processes(pattern: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      } catch {
        return ''
      }
    })
    .filter((line) => /^\S*(testpmd|io-uring-tap)\s/.test(line) && new RegExp(pattern).test(line))
}

const hugePages = (): string => readFileSync('/proc/sys/vm/nr_hugepages', 'utf8').trim()

describe.skipIf(reason !== null)(`run --driver testpmd${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  /** Where runs put what they need, and leave nothing of it. */
  let tmp: string
  const pages = hugePages()
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-bench-'))
    tmp = join(folder, 'tmp')
    mkdirSync(tmp)
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('measures accessors and DPDK’s own vhost against the same driver, and gives huge pages back', async () => {
    const before = hugePages()
    const file = join(folder, 'testpmd.json')
    const accessors = ['copy-checked', 'nospec-masked', 'vmap-direct']
    const { code, stderr } = await vringBench([
      ...['run', '--driver', 'testpmd', '--accessor', accessors.join(','), '--peer', 'dpdk'],
      ...['--trials', '20', '--duration-ms', '50', '--patience', '0', '--json', file],
    ])
    expect(stderr).toBe('')
    expect(code).toBe(0)
    const { cells, peers, noiseFloor, placement, comparisons } = parseResults(readFileSync(file, 'utf8'), file)
    expect(noiseFloor!.ratioLow).toBeLessThanOrEqual(noiseFloor!.ratioHigh)
    expect(placement).toMatchObject({ cores: [0, 1], sliceMs: 50, needed: 20, patienceMs: 0 })
    expect(cells.map(({ accessor }) => accessor)).toEqual(accessors)
    for (const cell of cells) {
      expect(cell.failure).toBeUndefined()
      expect(cell.measured?.trials).toHaveLength(20)
      expect(cell.measured?.slices?.map(({ round }) => round)).toEqual(Array.from({ length: 20 }, (_, round) => round))
      expect(cell.measured?.mpps.median).toBeGreaterThan(0.1)
      // Whatever the hypervisor did meanwhile: some class has the slices, or the class is unknown.
      expect(Object.values(cell.measured!.classes!).some((rate) => rate !== null)).toBe(true)
      expect(cell.features).toContain('VERSION_1')
      expect(cell.features).not.toContain('IN_ORDER')
      expect(cell.residentBytes).toBeLessThan(250 * 2 ** 20)
    }
    expect(new Set(cells.map(({ hash }) => hash)).size).toBe(1)
    expect(Object.keys(cells[2]!.accesses)).toContain('desc.direct')
    expect(peers).toHaveLength(1)
    expect(peers[0]).toMatchObject({ name: 'DPDK', version: expect.stringMatching(/^\d+\.\d+/) })
    expect(peers[0]!.mpps.median).toBeGreaterThan(0.1)
    expect(peers[0]!.features).toEqual(cells[0]!.features)
    expect(peers[0]!.slices).toHaveLength(20)
    for (const { class: place, slices } of comparisons!)
      expect([place !== undefined, slices?.length]).toEqual([true, 2])
    expect(hugePages()).toBe(before)
  })

  test('a part of a run without the cells of its peer is empty, and no reason to refuse', async () => {
    const file = join(folder, 'empty.json')
    const { code, stderr } = await vringBench([
      ...[
        'run',
        '--driver',
        'testpmd',
        '--accessor',
        'vmap-direct',
        '--peer',
        'dpdk',
        '--shard',
        '2/2',
        '--json',
        file,
      ],
    ])
    expect([code, stderr]).toEqual([0, ''])
    expect(parseResults(readFileSync(file, 'utf8'), file)).toMatchObject({ cells: [], peers: [], shard: '2/2' })
  })

  test('a driver that ends by itself fails device and peer at once, with its last words', async () => {
    const fake = join(folder, 'fake')
    mkdirSync(fake)
    const script = "#!/bin/sh\necho 'EAL: Error - exiting with code: 1'\necho '  Cause: no memory'\nexit 1\n"
    writeFileSync(join(fake, 'dpdk-testpmd'), script, { mode: 0o755 })
    const { code, stderr } = await vringBench(
      [
        ...['run', '--driver', 'testpmd', '--accessor', 'vmap-direct', '--peer', 'dpdk'],
        ...['--trials', '1', '--patience', '0', '--json', join(folder, 'fake.json')],
      ],
      { env: { PATH: `${fake}:${process.env['PATH']}` } },
    )
    const words = 'ended (exit code 1); it said: Cause: no memory'
    expect(stderr).toContain(`vmap-direct/split/testpmd/xdp1/64B/q256/b64 failed: testpmd (driver): ${words}\n`)
    expect(stderr).toMatch(/peer dpdk, xdp1.*it said: Cause: no memory/)
    expect(code).toBe(1)
  })

  test.each([
    ['tap', 'dpdk,io-uring,io-uring-fixed', ['DPDK', 'C io_uring', 'C io_uring, registered memory'], []],
    ['af-xdp', 'dpdk', ['DPDK'], ['--ring', 'packed']],
    ['loopback', 'dpdk', ['DPDK'], ['--ring', 'packed', '--in-order']],
  ])('counts what arrives at %s, and what a peer brings there', async (backend, peer, names, ring) => {
    const before = hugePages()
    const file = join(folder, `${backend}.json`)
    const { code, stderr } = await vringBench(
      [
        ...['run', '--smoke', '--driver', 'testpmd', '--backend', backend, '--accessor', 'copy-checked,vmap-direct'],
        ...[...ring, '--peer', peer, '--trials', '1', '--duration-ms', '200', '--json', file],
      ],
      { tmp },
    )
    expect(stderr).toBe('')
    expect(code).toBe(0)
    const { cells, peers } = parseResults(readFileSync(file, 'utf8'), file)
    expect(cells.map((cell) => [cell.backend, cell.failure])).toEqual([
      [backend, undefined],
      [backend, undefined],
    ])
    // How fast is not the question here: others may use this machine.
    for (const cell of cells) expect(cell.measured?.mpps.median).toBeGreaterThan(0)
    expect(cells[1]!.hash).toBe(cells[0]!.hash)
    for (const { features } of [...cells, ...peers.filter(({ name }) => name === 'DPDK')]) {
      expect(features!.includes('RING_PACKED')).toBe(ring.includes('packed'))
      expect(features!.includes('IN_ORDER')).toBe(ring.includes('--in-order'))
    }
    expect(peers.map(({ name }) => name)).toEqual(names)
    for (const { mpps: rate, ratios } of peers) {
      expect(rate.median).toBeGreaterThan(0)
      // One slice of each: both may have been in one class, or not.
      for (const { cell } of ratios!) expect(cells.map(({ id }) => id)).toContain(cell)
    }
    expect([hugePages(), folders(tmp), links()]).toEqual([before, [], []])
  })

  test.each([
    ['a device', 'vring-driver-', ['--accessor', 'copy-checked']],
    ['a peer', 'vring-backend-', ['--accessor', 'copy-checked', '--peer', 'dpdk', '--seed', '1']],
  ])('Ctrl-C while %s is connected ends it', async (_, begun, args) => {
    const before = hugePages()
    const file = join(folder, 'long.json')
    let interrupted = 0
    const { code } = await vringBench(
      ['run', '--driver', 'testpmd', ...args, '--trials', '1000', '--duration-ms', '200', '--json', file],
      {
        tmp,
        beside: async (program) => {
          await expect.poll(() => processes(begun).length, { timeout: 60_000 }).toBeGreaterThan(0)
          interrupted = performance.now()
          program.kill('SIGINT')
        },
      },
    )
    // A second for the trial; the rest is for the report, on a machine that others may use.
    expect(performance.now() - interrupted).toBeLessThan(15_000)
    expect(code).toBe(130)
    const { complete, cells } = parseResults(readFileSync(file, 'utf8'), file)
    expect(complete).toBe(false)
    expect(cells.map(({ accessor, failure }) => [accessor, failure])).toEqual([['copy-checked', undefined]])
    expect(processes('vring-driver-|vring-backend-')).toEqual([])
    expect([hugePages(), folders(tmp), links()]).toEqual([before, [], []])
  })

  test('a run that is killed in the middle of its slices leaves no process, though they are stopped', async () => {
    const { code } = await vringBench(
      [
        'run',
        '--driver',
        'testpmd',
        '--accessor',
        'vmap-direct',
        '--peer',
        'dpdk',
        '--json',
        join(folder, 'killed.json'),
      ],
      {
        tmp,
        beside: async (program) => {
          await expect.poll(() => processes('vring-backend-').length, { timeout: 60_000 }).toBeGreaterThan(0)
          await new Promise((resolve) => setTimeout(resolve, 4000))
          program.kill('SIGKILL')
        },
      },
    )
    expect(code).toBeNull()
    await expect
      .poll(() => processes('vring-driver-|vring-backend-|(testpmd|peer)-cell'), { timeout: 10_000 })
      .toEqual([])
    // What a killed run had reserved is only its own to give back.
    rmSync(tmp, { recursive: true, force: true })
    mkdirSync(tmp)
    writeFileSync('/proc/sys/vm/nr_hugepages', pages)
  })

  test('Ctrl-C in a run with devices and peers leaves a valid partial result and nothing else', async () => {
    const before = hugePages()
    const file = join(folder, 'interrupted.json')
    const { code } = await vringBench(
      [
        ...['run', '--driver', 'testpmd', '--backend', 'tap', '--accessor', 'vmap-direct', '--peer', 'dpdk,io-uring'],
        ...['--trials', '500', '--duration-ms', '200', '--json', file],
      ],
      {
        tmp,
        beside: async (program) => {
          await expect.poll(() => processes('vring-driver-').length, { timeout: 60_000 }).toBeGreaterThan(0)
          program.kill('SIGINT')
        },
      },
    )
    expect(code).toBe(130)
    expect(parseResults(readFileSync(file, 'utf8'), file).complete).toBe(false)
    expect([hugePages(), folders(tmp), links()]).toEqual([before, [], []])
    await expect.poll(() => processes('vring-driver-|vring-backend-|io-uring-tap'), { timeout: 10_000 }).toEqual([])
  })
})

const isRoot = process.getuid?.() === 0

describe.skipIf(!isRoot)(`run --driver inproc --backend tap${isRoot ? '' : ' (skipped: needs root)'}`, () => {
  test('every frame that accessors send arrives, and a C program writes beside them', async () => {
    const { code, stdout, stderr } = await vringBench([
      ...['run', '--smoke', '--backend', 'tap', '--accessor', 'copy-checked,vmap-direct', '--peer', 'io-uring'],
      ...['--trials', '2', '--json', '-'],
    ])
    expect(stderr).toBe('')
    expect(code).toBe(0)
    const { cells, peers } = parseResults(stdout, 'stdout')
    // A frame that was lost is counted, and what is counted is in the hash: with one the trials would differ.
    for (const cell of cells) expect([cell.failure, cell.measured?.trials.length]).toEqual([undefined, 2])
    expect(cells[1]!.hash).toBe(cells[0]!.hash)
    expect(peers).toMatchObject([{ name: 'C io_uring', version: expect.stringMatching(/^\S+ \d+/) }])
  })

  test('without privilege it ends with 4 and names the capability', async () => {
    const { code, stderr } = await vringBench(['run', '--smoke', '--backend', 'tap'], { uid: 65_534 })
    expect(stderr.trim()).toBe(
      'vring-bench: CAP_NET_ADMIN is missing: backend tap makes a network namespace and a device in it; run as root',
    )
    expect(code).toBe(4)
  })
})
