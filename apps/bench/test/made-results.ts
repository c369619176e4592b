import { type CellResult, RESULTS_SCHEMA, type Results } from '../src/results/results.ts'

/** A cell as a run would leave it, with ten trials around `mpps`, 2 % apart from end to end. */
export function madeCell(accessor: string, mpps: number, more: Partial<CellResult> = {}): CellResult {
  const trials = Array.from({ length: 10 }, (_, index) => mpps * (0.99 + (0.02 * index) / 9))
  const { queueSize = 256, batch = 64 } = more
  return {
    id: `${accessor}/split/inproc/xdp1/64B/q${queueSize}/b${batch}`,
    accessor,
    options: {},
    ring: 'split',
    driver: 'inproc',
    backend: 'xdp1',
    frameBytes: 64,
    queueSize,
    batch,
    role: accessor === 'baseline' ? 'floor' : 'accessor',
    measured: {
      mpps: { median: mpps, low: mpps * 0.99, high: mpps * 1.01 },
      nsPerPacket: { median: 1000 / mpps, p99: 1300 / mpps },
      trials,
      packets: 655_360,
    },
    steps: {},
    modelled: [],
    accesses: {},
    hash: 'abcdef0123',
    ...more,
  }
}

/** Results of a quiet machine that hold these cells. */
export function madeResults(cells: readonly CellResult[], more: Partial<Results> = {}): Results {
  return {
    schema: RESULTS_SCHEMA,
    startedAt: '2026-11-22T10:00:00.000Z',
    command: ['vring-bench', 'run'],
    seed: 1,
    environment: {
      cpu: 'a CPU',
      cores: 2,
      kernel: 'Linux 6.18',
      node: 'v20',
      v8: '11.3',
      mitigations: {},
      loadBefore: 0,
      loadAfter: 1,
      steal: 0,
      busy: [],
      git: null,
    },
    cells: [...cells],
    peers: [],
    published: [],
    claims: [],
    noiseFloor: null,
    complete: true,
    ...more,
  }
}
