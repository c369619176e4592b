import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseResults } from './parse-results.ts'
import { RESULTS_SCHEMA, type Results, resultsJsonSchema } from './results.ts'

const results: Results = {
  schema: RESULTS_SCHEMA,
  startedAt: '2026-11-22T10:00:00.000Z',
  command: ['vring-bench', 'run'],
  seed: 1,
  environment: {
    cpu: 'x',
    cores: 2,
    kernel: 'Linux 6.18',
    node: 'v20',
    v8: '11.3',
    mitigations: { spectre_v1: 'Mitigation: usercopy' },
    loadBefore: 0,
    loadAfter: 1,
    steal: null,
    busy: [],
    git: null,
  },
  cells: [
    {
      id: 'copy-checked/split/inproc/xdp1/64B/q256/b64',
      accessor: 'copy-checked',
      options: {},
      ring: 'split',
      driver: 'inproc',
      backend: 'xdp1',
      frameBytes: 64,
      queueSize: 256,
      batch: 64,
      measured: {
        mpps: { median: 1, low: 0.9, high: 1.1 },
        nsPerPacket: { median: 1000, p99: 1200 },
        trials: [1],
        packets: 65536,
      },
      steps: { stac: 2 },
      modelled: [],
      accesses: { 'desc.copy': 65536 },
      hash: 'ab',
    },
  ],
  peers: [],
  published: [],
  claims: [],
  noiseFloor: null,
}

describe('results', () => {
  it('survive being written and read', () => {
    expect(parseResults(JSON.stringify(results), 'r.json')).toEqual(results)
  })

  it.each([
    ['{', 'r.json: not JSON'],
    ['null', 'r.json: schema is missing; accepted: "vring-bench/1"'],
    ['{"schema":"vring-bench/2"}', 'r.json: schema is "vring-bench/2"; accepted: "vring-bench/1"'],
    ['[]', 'r.json: schema is missing; accepted: "vring-bench/1"'],
  ])('%s is refused in one line', (text, message) => {
    expect(() => parseResults(text, 'r.json')).toThrow(message)
  })

  it('names the first field that is wrong', () => {
    const cell = { ...results.cells[0], measured: { ...results.cells[0]!.measured, trials: [] } }
    expect(() => parseResults(JSON.stringify({ ...results, cells: [cell] }), 'r.json')).toThrow(
      /^r\.json: cells\.0\.measured\.trials: /,
    )
    const { cells } = results
    expect(() => parseResults(JSON.stringify({ ...results, cells: [...cells, cells[0]] }), 'r.json')).toThrow(
      new RegExp(`^r\\.json: cells\\.${cells.length}: .* is there twice$`),
    )
    expect(parseResults(`\ufeff${JSON.stringify(results)}`, 'r.json')).toEqual(results)
    expect(() => parseResults(JSON.stringify({ ...results, seed: -1 }), 'r.json')).toThrow(/^r\.json: seed: /)
  })

  it.each([
    [0, 'cells.0.measured.mpps.median: 0 is not accepted; accepted: a number above 0'],
    [-5, 'cells.0.measured.mpps.median: -5 is not accepted; accepted: a number above 0'],
    // What JSON makes of a number without end.
    [null, 'cells.0.measured.mpps.median: null is not accepted; accepted: a number above 0'],
    ['1e999', 'cells.0.measured.mpps.median: Infinity is not accepted; accepted: a number above 0'],
  ])('a rate of %s is refused', (value, message) => {
    const text = JSON.stringify(results).replace('"median":1,', `"median":${value},`)
    expect(() => parseResults(text, 'r.json')).toThrow(`r.json: ${message}`)
  })

  it.each([
    ['"nsPerPacket":{"median":1000', '"nsPerPacket":{"median":-1', 'cells.0.measured.nsPerPacket.median: -1'],
    ['"trials":[1]', '"trials":[1,0]', 'cells.0.measured.trials.1: 0'],
    ['"low":0.9', '"low":-0.9', 'cells.0.measured.mpps.low: -0.9'],
    ['"modelled":[]', '"modelled":[{"profile":"v4","smap":"on","mpps":0}]', 'cells.0.modelled.0.mpps: 0'],
    ['"noiseFloor":null', '"noiseFloor":{"ratioLow":0,"ratioHigh":1}', 'noiseFloor.ratioLow: 0'],
  ])('%s that became %s is refused by its place', (was, is, message) => {
    const text = JSON.stringify(results)
    expect(text).toContain(was)
    expect(() => parseResults(text.replace(was, is), 'r.json')).toThrow(
      `r.json: ${message} is not accepted; accepted: a number above 0`,
    )
  })

  it('the published JSON Schema is that of this code', () => {
    const published = JSON.parse(readFileSync(new URL('../../results.schema.json', import.meta.url), 'utf8'))
    expect(published).toEqual(JSON.parse(JSON.stringify(resultsJsonSchema())))
  })
})
