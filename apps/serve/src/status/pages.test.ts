import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { DEFAULT_MEMORY, type ServeConfig } from '../config/serve-config.ts'
import { version } from '../version.ts'
import { formatMetrics, type Observation, type Observed } from './metrics.ts'
import type { Snapshot } from './snapshot.ts'
import { PAGE_SECURITY_POLICY, renderStatusPage } from './status-page.ts'

const config: ServeConfig = {
  name: '',
  fd: null,
  socketMode: null,
  socketGroup: null,
  fixOffloads: false,
  socket: '/run/<b>&.sock',
  role: 'server',
  accessor: { name: 'vmap-direct', options: {} },
  backend: { kind: 'tap', name: 'vring0' },
  plugins: [],
  xdp: 'xdp1',
  mtu: null,
  replay: { pace: 'recorded', loop: false, maxGapMs: 10_000 },
  captures: [],
  queuePairs: 1,
  announce: false,
  threads: 1,
  memory: DEFAULT_MEMORY,
}
const none = { count: 0, sum: 0, p50: 0, p90: 0, p99: 0, max: 0 }
const quiet: Snapshot = {
  session: null,
  sessions: 0,
  lastError: null,
  sessionEnds: {},
  refusals: {},
  pairs: [
    { backend: 'x', gone: false, txFrames: 0, txBytes: 0, txDropped: {}, rxFrames: 0, rxBytes: 0, rxDropped: {} },
  ],
  captures: [],
  verdicts: null,
  programCounts: null,
  queues: [],
  broken: {},
  accesses: {},
  notifications: 0,
  wakeups: 0,
  threads: [{ thread: 0, notifications: 0, wakeups: 0, round: none, wakeToBackend: none }],
}
const busy: Snapshot = {
  ...quiet,
  session: { since: 0, features: '0x100000001', memoryBytes: 2 ** 28, refusals: 1 },
  sessions: 3,
  lastError: 'region <end>',
  sessionEnds: { 'hang-up': 2, memory: 1 },
  refusals: { 'SET_VRING_NUM.ring': 4 },
  pairs: [
    {
      backend: 'tap',
      gone: true,
      txFrames: 1_234_567,
      txBytes: 80_000_000,
      txDropped: { short: 2 },
      rxFrames: 5,
      rxBytes: 500,
      rxDropped: { truncated: 1 },
    },
  ],
  verdicts: { drop: 7, pass: 0 },
  programCounts: { 'rxcnt[17]': 7 },
  queues: [
    { index: 0, broken: null, size: 256, enabled: true },
    { index: 1, broken: 'head-out-of-range', size: 512, enabled: true },
  ],
  broken: { 'head-out-of-range': 1 },
  accesses: { 'desc.direct': 9, 'used.fallback:page-absent': 2 },
  notifications: 11,
  wakeups: 12,
  threads: [
    {
      ...{ thread: 0, notifications: 11, wakeups: 12, wakeToBackend: none },
      round: { count: 100, sum: 250_000, p50: 2000, p90: 3000, p99: 9000, max: 12_000 },
    },
  ],
}

/** A device with this in place of nothing. */
function seen(what: Partial<Observation>, name = ''): Observed {
  return {
    config: { ...config, name },
    observation: { snapshot: quiet, kernel: null, link: null, history: [], ...what },
  }
}

describe('metrics', () => {
  /** Values by name and labels. */
  async function values(
    snapshot: Snapshot,
    kernel: Record<string, number> | null = null,
  ): Promise<Map<string, number>> {
    const lines = (await formatMetrics([seen({ snapshot, kernel })])).split('\n')
    const samples = lines.filter((line) => line !== '' && !line.startsWith('#'))
    return new Map(samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]))
  }

  test('say what the snapshot says', async () => {
    const found = Object.fromEntries(await values(busy, { 'rxcnt[17]': 42 }))
    expect(found).toMatchObject({
      [`vring_info{accessor="vmap-direct",backend="tap:vring0",version="${version}",node="${process.versions.node}"}`]: 1,
      'vring_queue_size{queue="1"}': 512,
      'vring_queue_enabled{queue="0"}': 1,
      'vring_packets_total{pair="0",direction="tx"}': 1_234_567,
      'vring_bytes_total{pair="0",direction="tx"}': 80_000_000,
      'vring_packets_total{pair="0",direction="rx"}': 5,
      'vring_dropped_packets_total{pair="0",direction="tx",reason="short"}': 2,
      'vring_dropped_packets_total{pair="0",direction="rx",reason="truncated"}': 1,
      'vring_backend_up{pair="0"}': 0,
      'vring_xdp_packets_total{verdict="drop"}': 7,
      'vring_xdp_program_packets_total{counter="rxcnt[17]"}': 7,
      'vring_xdp_kernel_packets_total{counter="rxcnt[17]"}': 42,
      'vring_ring_accesses_total{area="desc",mode="direct"}': 9,
      'vring_ring_accesses_total{area="used",mode="fallback:page-absent"}': 2,
      vring_notifications_total: 11,
      vring_wakeups_total: 12,
      'vring_broken_queues_total{reason="head-out-of-range"}': 1,
      vring_queues: 2,
      vring_queues_broken: 1,
      vring_sessions_total: 3,
      vring_connected: 1,
      vring_driver_memory_bytes: 2 ** 28,
      'vring_round_seconds{quantile="0.5"}': 2e-6,
      'vring_round_seconds{quantile="0.99"}': 9e-6,
      vring_round_seconds_sum: 2.5e-4,
      vring_round_seconds_count: 100,
      vring_wake_to_backend_seconds_count: 0,
    })
    const threads = [0, 1].map((thread) => ({ ...busy.threads[0]!, thread }))
    expect(Object.fromEntries(await values({ ...busy, threads }))).toMatchObject({
      'vring_notifications_total{thread="1"}': 11,
      'vring_wakeups_total{thread="0"}': 12,
      'vring_round_seconds{thread="1",quantile="0.5"}': 2e-6,
      'vring_round_seconds_count{thread="0"}': 100,
    })
    expect(found['process_resident_memory_bytes']).toBeGreaterThan(1 << 20)
  })

  test('of two moments do not add up, and a quiet daemon has no quantiles', async () => {
    await values(busy)
    const found = await values(quiet)
    expect(found.get('vring_packets_total{pair="0",direction="tx"}')).toBe(0)
    expect(found.get('vring_connected')).toBe(0)
    expect(found.get('vring_backend_up{pair="0"}')).toBe(1)
    expect([...found.keys()].filter((name) => name.includes('quantile'))).toEqual([])
  })

  test('of several devices have their names', async () => {
    const text = await formatMetrics([seen({ snapshot: busy }, 'one'), seen({}, 'two')])
    expect(text).toContain('vring_packets_total{device="one",pair="0",direction="tx"} 1234567')
    expect(text).toContain('vring_packets_total{device="two",pair="0",direction="tx"} 0')
    expect(text).toContain('vring_round_seconds_count{device="one"} 100')
    expect(text).toContain('vring_round_seconds_count{device="two"} 0')
    expect(text.match(/^process_open_fds/gm)).toHaveLength(1)
  })

  test('of an interface are the kernel’s own counts and its state', async () => {
    const stats = { rxPackets: 1, txPackets: 2, rxBytes: 3, txBytes: 4, rxDropped: 5, txDropped: 6 }
    const info = {
      ...{
        ifindex: 7,
        name: 'vring0',
        up: true,
        carrier: false,
        mtu: 1500,
        address: '',
        kind: 'tun',
        peer: 0,
        peerHere: true,
      },
      ...{ rxQueues: 1, txQueues: 1, xdp: { mode: 'none', programId: 0 } as const, stats },
    }
    const text = await formatMetrics([
      seen({ link: { name: 'vring0', up: true, place: 'here', hasProgram: false, info } }),
    ])
    expect(text).toContain('vring_link_up{interface="vring0"} 1')
    expect(text).toContain('vring_link_carrier{interface="vring0"} 0')
    expect(text).toContain('vring_link_program_attached{interface="vring0"} 0')
    expect(text).toContain('vring_link_dropped_packets_total{interface="vring0",direction="tx"} 6')
    const gone = await formatMetrics([
      seen({ link: { name: 'vring0', up: true, place: 'deleted', hasProgram: null, info: null } }),
    ])
    expect(gone).toContain('vring_link_up{interface="vring0"} 0')
  })

  test('each have help and a type, counters by their ending', async () => {
    const text = await formatMetrics([seen({ snapshot: busy, kernel: {} })])
    const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!])
    expect(types.length).toBeGreaterThan(15)
    for (const [name, type] of types) {
      expect(text).toContain(`# HELP ${name} `)
      expect(name!.endsWith('_total')).toBe(type === 'counter')
    }
  })
})

describe('the status page', () => {
  const page = renderStatusPage([seen({ snapshot: busy, kernel: { 'rxcnt[17]': 42 } })], new Date(0))

  test('says in words what is going on', () => {
    for (const words of [
      'serving a driver',
      '1,234,567',
      '2 short',
      'broken: head-out-of-range',
      'rxcnt[17]',
      '1970-01-01 00:00:00 UTC',
      '0, from the driver (device deleted)',
      'Counted by the program in the kernel',
      '256 MiB',
    ])
      expect(page).toContain(words)
    const idle = renderStatusPage([seen({ snapshot: quiet })])
    for (const words of ['waiting for a driver', 'No ring runs', 'none yet']) expect(idle).toContain(words)
    expect(idle).not.toContain('XDP program</h2>')
  })

  test('names features, draws the last minutes, and loads itself again', () => {
    expect(page.replaceAll('<wbr>', '')).toContain('VIRTIO_F_VERSION_1 (32) (0x100000001)')
    expect(page).toContain('http-equiv="refresh" content="5"')
    const history = [0, 5000, 10_000].map((atMs, i) => ({ atMs, txRate: 100 * i, rxRate: 0, dropRate: 1 }))
    const drawn = renderStatusPage([seen({ snapshot: busy, history })])
    expect(drawn.match(/<svg [^>]*role="img" aria-label="[^"]+"/g)).toHaveLength(3)
    expect(drawn).toContain('From the driver: <b>200/s</b>, at most 200/s in 0.2 min')
    expect(drawn).toContain('points="0.0,60.0 120.0,31.0 240.0,2.0"')
  })

  test('has a section for each device of several', () => {
    const both = renderStatusPage([seen({ snapshot: busy }, 'one'), seen({}, 'two')])
    expect(both).toContain('1 of 2 devices serve a driver')
    for (const name of ['one', 'two'])
      expect(both).toContain(`<th scope="row"><a href="#device-${name}">${name}</a></th>`)
    expect(page).not.toContain('Devices, frames a second')
    for (const name of ['one', 'two'])
      expect(both).toMatch(new RegExp(`<h2 id="device-${name}"[^>]*>Device ${name}</h2>`))
  })

  test('shows text as text', () => {
    expect(page).toContain('&lt;b&gt;&amp;.sock')
    expect(page).toContain('region &lt;end&gt;')
    expect(page).not.toMatch(/<b>|<end>/)
  })

  test('is made for screen readers: language, one heading of the first level, captions, scopes, names of regions', () => {
    expect(page).toContain('<html lang="en">')
    expect(page.match(/<h1>/g)).toHaveLength(1)
    const tables = page.match(/<table>/g)!.length
    expect(tables).toBeGreaterThan(3)
    expect(page.match(/<table>\n<caption>[^<]+<\/caption>/g)).toHaveLength(tables)
    expect(page).not.toMatch(/<th(?! scope="(col|row)")[ >]/)
    for (const [, id] of page.matchAll(/aria-labelledby="(\w+)"/g)) expect(page).toContain(`<h2 id="${id}">`)
  })

  test('loads nothing, and its policy allows its own style and nothing else', () => {
    expect(page).not.toMatch(/<(script|link|img|iframe)|url\(|@import/)
    const style = /<style>([\s\S]*?)<\/style>/.exec(page)![1]!
    expect(PAGE_SECURITY_POLICY).toContain(`'sha256-${createHash('sha256').update(style).digest('base64')}'`)
    expect(page).not.toMatch(/ style="/)
    expect(style).toContain('color-scheme: light dark')
  })
})
