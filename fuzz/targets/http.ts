import { connect } from 'node:net'
import { DEFAULT_MEMORY, type ServeConfig } from '../../apps/serve/src/config/serve-config.ts'
import type { Daemon } from '../../apps/serve/src/daemon/daemon.ts'
import { StatusServer } from '../../apps/serve/src/daemon/status-server.ts'
import type { Observation } from '../../apps/serve/src/status/metrics.ts'
import type { Snapshot } from '../../apps/serve/src/status/snapshot.ts'
import { expectThat, type FuzzTarget } from '../engine/target.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const none = { count: 0, sum: 0, p50: 0, p90: 0, p99: 0, max: 0 }
const snapshot = {
  session: null,
  sessions: 1,
  sessionEnds: {},
  refusals: {},
  lastError: '<script>',
  pairs: [],
  captures: [],
  verdicts: { drop: 1 },
  programCounts: null,
  queues: [],
  broken: {},
  accesses: {},
  notifications: 0,
  wakeups: 0,
  threads: [{ thread: 0, notifications: 0, wakeups: 0, round: none, wakeToBackend: none }],
} satisfies Snapshot
const config: ServeConfig = {
  name: '',
  socket: '/run/x.sock',
  fd: null,
  role: 'server',
  socketMode: null,
  socketGroup: null,
  accessor: { name: 'vmap-direct', options: {} },
  plugins: [],
  backend: { kind: 'drop' },
  xdp: null,
  fixOffloads: false,
  mtu: null,
  replay: { pace: 'recorded', loop: false, maxGapMs: 1000 },
  captures: [],
  queuePairs: 1,
  announce: false,
  threads: 1,
  memory: DEFAULT_MEMORY,
}
const observation: Observation = { snapshot, kernel: null, link: null, history: [] }
/** A daemon as far as its pages ask. */
const daemon = { devices: [{ config, observe: async () => observation }] } as unknown as Daemon

/** Every so many inputs the server has to answer a right request. */
const PROOF_EVERY = 64
const PROOF = text('GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')

let server: StatusServer | null = null
let inputs = 0

/** Sends bytes, ends, and takes what comes until the server closes. */
function exchange(url: string, bytes: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    const chunks: Buffer[] = []
    const socket = connect({ host: hostname, port: Number(port) }, () => socket.end(bytes))
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') reject(error)
    })
    socket.on('close', () => resolve(Buffer.concat(chunks)))
  })
}

export const target: FuzzTarget = {
  name: 'http',
  description:
    'bytes at the port of the metrics: an HTTP answer or none, nothing unescaped in a page, and the next request is served',
  unit: 'connections',
  maxBytes: 2048,
  seeds: [
    PROOF,
    ...[
      'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
      'HEAD /metrics?x HTTP/1.0\r\n\r\n',
      'POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc',
    ].map(text),
  ],
  dictionary: [
    'GET ',
    'HEAD ',
    'POST ',
    ' HTTP/1.1\r\n',
    'Host: ',
    '\r\n\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Content-Length: ',
    'Upgrade: ',
    'Expect: 100-continue\r\n',
    '/metrics',
    '//',
    '%00',
    '?',
  ].map(text),
  async run(input) {
    server ??= await StatusServer.start({ host: '127.0.0.1', port: 0 }, daemon, () => {})
    const answer = (await exchange(server.url, input)).toString('latin1')
    if (answer !== '') expectThat(/^HTTP\/1\.1 \d{3} /.test(answer), `no HTTP: ${JSON.stringify(answer.slice(0, 80))}`)
    expectThat(!/^HTTP\/1\.1 500/.test(answer), 'an internal error')
    expectThat(!answer.includes('<script>'), 'a page that is not escaped')
    if (++inputs % PROOF_EVERY === 0)
      expectThat(
        (await exchange(server.url, PROOF)).toString('latin1').startsWith('HTTP/1.1 200'),
        'no answer any more',
      )
    return 1
  },
}
