import { describe, expect, it } from 'vitest'
import { madeCell } from '../../test/made-results.ts'
import { mergeResults } from '../results/merge-results.ts'
import { publishedRates } from '../results/model-results.ts'
import type { CellResult, Results } from '../results/results.ts'
import { comparePairs } from '../run/compare-cells.ts'
import { printResults } from '../run/print-results.ts'
import { seededRandom } from '../stats/index.ts'
import { escapeHtml } from './html.ts'
import { axisTicks } from './picture.ts'
import { reportHtml } from './report-html.ts'
import { reportMarkdown } from './report-markdown.ts'
import { headline } from './report-summary.ts'

function cell(accessor: string, mpps: number, more: Partial<CellResult> = {}): CellResult {
  return madeCell(accessor, mpps, {
    options: { mapping: 'vmap', sync: 'mutex', hold: 'access', era: '2019' },
    steps: { stac: 2.05 },
    modelled: [
      { profile: 'v4', smap: 'on', mpps: 5, parts: { base: 140, smapPair: 50, lfence: 10 } },
      { profile: 'v4', smap: 'off', mpps: 6.6, parts: { base: 140, lfence: 12 } },
    ],
    ...more,
  })
}

const results: Results = {
  schema: 'vring-bench/1',
  startedAt: '2026-11-22T10:00:00.000Z',
  command: ['vring-bench', 'run'],
  seed: 7,
  environment: {
    cpu: 'a <fast> CPU',
    cores: 2,
    kernel: 'Linux',
    node: 'v20',
    v8: '11',
    mitigations: { spectre_v1: 'Mitigation: x' },
    loadBefore: 3,
    loadAfter: 3,
    steal: 0.02,
    busy: ['load was 3 before the run began'],
    git: 'abc',
  },
  cells: [cell('copy-checked', 20), cell('vmap-direct', 50)],
  peers: [
    { name: 'DPDK', version: '22.11', role: 'net_vhost', mpps: { median: 30, low: 29, high: 31 }, trials: [30, 31] },
  ],
  published: publishedRates(),
  claims: [
    {
      id: 'c',
      text: '+22 %',
      published: 0.22,
      modelled: 0.05,
      verdict: 'not reproduced',
      tolerance: 0.05,
      reason: 'off',
    },
  ],
  noiseFloor: { ratioLow: 0.98, ratioHigh: 1.02 },
}

describe('report', () => {
  const html = reportHtml(results)

  it('is one offline file: no script, no request, below 1.5 MB', () => {
    expect(html).toMatch(/^<!doctype html>/)
    expect(html).not.toMatch(/<script|src=|@import|url\(|https?:/)
    expect(html.length).toBeLessThan(1.5e6)
  })

  it('prices steps on the machine itself where the run timed them, and says which price is published', () => {
    expect(html).not.toContain('What steps cost on this machine')
    const step = (ns: number): { median: number; low: number; high: number } => ({ median: ns, low: ns, high: ns })
    const machine = { clockGHz: 3, steps: { lfence: step(4.25), mask: step(1) }, notMeasured: { stac: 'privileged' } }
    const timed = { ...results, environment: { ...results.environment, machine } }
    for (const text of [reportHtml(timed), reportMarkdown(timed)]) {
      expect(text).toContain('What steps cost on this machine')
      expect(text).toContain('4.25 [4.25, 4.25]')
      expect(text).toContain('privileged; fitted to rates of patch V4')
      expect(text).toContain('SMAP pairs, published')
    }
  })

  it('says of cells with a stand-in for the barrier what it is', () => {
    const cells = results.cells.map((cell) => ({ ...cell, sweep: { barrier: 1 } }))
    for (const draw of [reportHtml, reportMarkdown]) {
      expect(draw(results)).not.toContain('stands in for each lfence')
      expect(draw({ ...results, cells })).toContain('stands in for each lfence')
    }
  })

  it('keeps published, modelled and measured side by side and apart', () => {
    for (const title of ['SMAP on, published', 'SMAP on, modelled', 'SMAP off, published', 'measured here'])
      expect(html).toContain(title)
    expect(html).toContain('>6.10<')
    expect(html).toContain('50.0 [49.5, 50.5]')
    expect(html).toContain('DPDK 22.11 (peer: net_vhost)')
  })

  it('every chart is a labelled image with its table', () => {
    const figures = html.split('<figure>').slice(1)
    expect(figures.length).toBeGreaterThanOrEqual(2)
    for (const markup of figures) {
      const id = /role="img" aria-labelledby="([^"]+)"/.exec(markup)?.[1]
      expect(markup).toContain(`<figcaption id="${id}">`)
      expect(markup).toMatch(/<details>.*<table /s)
    }
  })

  it('says that the machine was busy and which claim failed, and escapes what it is given', () => {
    expect(html).toContain('Busy machine: load was 3')
    expect(html).toContain('0 reproduced, 1 not reproduced')
    expect(html).not.toContain('<fast>')
    expect(escapeHtml(`<a href="x">'&`)).toBe('&#60;a href=&#34;x&#34;&#62;&#39;&#38;')
  })

  it('draws a curve for each swept key', () => {
    const swept = [256, 1024, 4096].flatMap((queueSize) => [
      cell('copy-checked', 20, { queueSize, sweep: { 'queue-size': queueSize } }),
      cell('vmap-direct', 50, { queueSize, sweep: { 'queue-size': queueSize } }),
    ])
    const curves = reportHtml({ ...results, cells: swept })
    expect(curves).toContain('Cost over queue-size.')
    // Two pieces of each line, and one in the legend.
    expect(curves.match(/<line class="curve curve-0"/g)).toHaveLength(3)
    expect(curves.match(/<line class="curve curve-1"/g)).toHaveLength(3)
    expect(curves).not.toContain('leaves the chart')
  })

  it('draws two values of a sweep as trials, since there is nothing in between', () => {
    const cells = [0, 1].flatMap((barrier) => [
      cell('copy-checked', 20 - barrier, { sweep: { barrier } }),
      cell('vmap-direct', 50, { sweep: { barrier } }),
    ])
    const drawn = reportHtml({ ...results, peers: [], cells })
    expect(drawn).not.toContain('class="curve')
    expect(drawn).toContain('Trials by barrier.')
    expect(drawn.match(/<circle class="trial"/g)).toHaveLength(40)
    expect([...drawn.matchAll(/>(barrier \d: [a-z-]+)<\/text>/g)].map(([, label]) => label)).toEqual([
      'barrier 0: copy-checked',
      'barrier 0: vmap-direct',
      'barrier 1: copy-checked',
      'barrier 1: vmap-direct',
    ])
    // A run that varied everything has a result all the same.
    expect(reportMarkdown({ ...results, peers: [], cells })).toMatch(/\| copy-checked \| 1 \| 19\.0 \[/)
  })

  it('keeps lines to be read where an interval is many times as long, and says so', () => {
    const cells = [64, 256, 1024].map((queueSize) =>
      cell('copy-checked', 20, { queueSize, sweep: { 'queue-size': queueSize } }),
    )
    const { measured } = cells[1]!
    cells[1] = { ...cells[1]!, measured: { ...measured!, mpps: { median: 20, low: 0.5, high: 21 } } }
    const drawn = reportHtml({ ...results, peers: [], cells })
    expect(drawn).toContain('An interval that leaves the chart ends in an arrow')
    expect(drawn.match(/<path class="beyond/g)).toHaveLength(1)
    expect(drawn).toContain('50.0 [47.6, 2000]')
    const ticks = [...drawn.matchAll(/>(\d+)<\/text>/g)].map(([, tick]) => Number(tick))
    expect(Math.max(...ticks.filter((tick) => ![64, 256, 1024].includes(tick)))).toBeLessThan(200)
  })

  it('sets published, modelled and measured gains below one another, and says in short what came out', () => {
    const ratio = { median: 2.5, low: 2.4, high: 2.6 }
    const [before, after] = results.cells.map(({ id }) => id)
    const compared = {
      ...results,
      comparisons: [{ before: before!, after: after!, ratio, p: 0.0001, verdict: 'faster' as const }],
    }
    for (const text of [reportHtml(compared), reportMarkdown(compared)]) {
      expect(text).toContain('Measured: vmap-direct has 2.50')
      expect(text).toContain('All cells gave the same result')
      expect(text).toContain('+150 % [+140 %, +160 %]')
      expect(text).toContain('measured here [95 %]')
    }
    expect(reportMarkdown(compared)).toContain('| vmap-direct | copy-checked | +22 % | ±0 % | +12 % | ±0 % | +150 % [')
    const drawn = reportHtml(compared)
    const bars = [...drawn.matchAll(/<rect class="origin-([a-z]+)" x=/g)].map(([, origin]) => origin)
    expect(bars).toEqual(['published', 'modelled', 'published', 'modelled', 'measured'])
    expect(drawn.match(/<line class="whisker"/g)).toHaveLength(1)
    expect(reportHtml(results)).not.toContain('<rect class="origin-')
  })

  describe('has one headline', () => {
    const [before, after] = results.cells.map(({ id }) => id) as [string, string]
    const compared = (
      median: number,
      verdict: 'faster' | 'slower' | 'no change',
      more: Partial<Results> = {},
    ): Results => {
      const ratio = { median, low: median * 0.96, high: median * 1.04 }
      return { ...results, comparisons: [{ before, after, ratio, p: 0.0001, verdict }], ...more }
    }
    const figureOf = (of: Results): string | undefined => /class="headline"><strong>([^<]*)</.exec(reportHtml(of))?.[1]

    it('the largest difference, in the page and in Markdown', () => {
      expect(headline(compared(2.5, 'faster'))).toEqual({
        figure: '2.50 ×',
        sentence: 'vmap-direct against copy-checked, measured here; 95 % interval 2.40 to 2.60.',
      })
      expect(figureOf(compared(2.5, 'faster'))).toBe('2.50 ×')
      expect(reportMarkdown(compared(2.5, 'faster'))).toContain('**2.50 ×** vmap-direct against copy-checked')
    })

    it('of a run with a peer the most of its rate', () => {
      const ratios = [{ cell: before, ratio: { median: 0.9, low: 0.88, high: 0.92 }, class: 'far' as const }]
      const near = [{ cell: after, ratio: { median: 0.8, low: 0.78, high: 0.82 }, class: 'near' as const }]
      const peers = [{ ...results.peers[0]!, ratios: [...ratios, ...near] }]
      expect(headline(compared(2.5, 'faster', { peers }))).toMatchObject({
        figure: '0.80 ×',
        sentence: expect.stringMatching(/^vmap-direct against DPDK 22.11, measured here, cores near; /),
      })
    })

    it('that nothing differs, the only rate, or none at all', () => {
      expect(figureOf(compared(1.01, 'no change'))).toBe('no change')
      expect(figureOf({ ...results, cells: [results.cells[0]!] })).toBe('20.0 Mpps')
      expect(figureOf({ ...results, cells: [] })).toBeUndefined()
    })

    it('never the rate of a plugin that does not conform', () => {
      const conformance = { cases: 9, failed: 1, causes: ['accessor vmap-direct: bounds: wrong'] }
      const cells = [results.cells[0]!, { ...results.cells[1]!, conformance }]
      expect(figureOf(compared(2.5, 'faster', { cells }))).toBe('20.0 Mpps')
    })
  })

  it('shows the measured column first, options small below the name, and claims folded', () => {
    const options = cell('vmap-direct', 50, { id: 'vmap-direct:sync=rcu:hold=access/split/inproc/xdp1/64B/q256/b64' })
    const drawn = reportHtml({ ...results, cells: [cell('copy-checked', 20), options] })
    expect(drawn).toMatch(/<th scope="col">accessor<\/th><th class="n" scope="col">measured here/)
    expect(drawn).toContain('vmap-direct <small>sync=rcu hold=access</small>')
    expect(drawn).toContain('<details><summary>All 1 claims</summary>')
  })

  it('says that accessors disagree', () => {
    const cells = [results.cells[0]!, { ...results.cells[1]!, hash: 'other' }]
    for (const draw of [reportHtml, reportMarkdown])
      expect(draw({ ...results, cells })).toContain(
        'do not give the same result: hashes differ under 1 of 1 conditions',
      )
  })

  it('draws the mix of a sweep of lengths beside the axis, on no line, and says so', () => {
    const swept = [64, 256, 1518, 'imix'].flatMap((frames) =>
      ['copy-checked', 'vmap-direct'].map((accessor) => cell(accessor, 20, { sweep: { 'frame-bytes': frames } })),
    )
    const html = reportHtml({ ...results, cells: swept })
    // Two pieces between three lengths, and one in the legend.
    expect(html.match(/<line class="curve curve-0"/g)).toHaveLength(3)
    expect(html.match(/<circle class="dot dot-\d" cx="0"/g)).toHaveLength(6)
    expect(html.match(/<polygon class="dot /g)).toHaveLength(2)
    expect(html.match(/<line class="axis-end"/g)).toHaveLength(1)
    expect(html).toContain('stands beside the axis and on no line')
    expect(html).not.toContain('NaN')
    expect(reportMarkdown({ ...results, cells: swept })).toMatch(/\| imix \| 50\.0 \[[\d., ]+\] \| 50\.0 \[/)
    const lengths = swept.filter(({ sweep }) => sweep?.['frame-bytes'] !== 'imix')
    expect(reportHtml({ ...results, cells: lengths })).not.toMatch(/axis-end"|<polygon|beside the axis/)
  })

  it('shows a claim that failed as failed, in HTML, in Markdown and on a terminal, its record or not', () => {
    const missing = 'prices of a Sandy Bridge'
    const known = { ...results.claims[0]!, text: 'the known one', reason: `a loss; missing: ${missing}`, missing }
    const both = { ...results, claims: [results.claims[0]!, known] }
    for (const text of [reportHtml(both), reportMarkdown(both)]) {
      expect(text).toContain('0 reproduced, 2 not reproduced, 0 not tested.')
      expect(text).toMatch(/Not reproduced\..{0,12} \+22 %: off/)
      expect(text).toMatch(/Not reproduced\..{0,12} the known one: a loss; missing: prices of a Sandy Bridge/)
    }
    expect(printResults(both)).toMatch(/not reproduced {2}the known one: a loss; missing: prices/)
  })

  it('shows gains as percents and counts as counts, as everywhere else', () => {
    const gain = { ...results.claims[0]!, measured: -0.01 }
    const count = {
      ...gain,
      id: 'metadata-accesses',
      text: 'accesses',
      published: 2.0625,
      modelled: 2.0625,
      measured: null,
    }
    const both = { ...results, claims: [gain, count] }
    const rows = ['+22.0 %|+5.0 %|-1.0 %|5.0 points', '2.06|2.06|–|0.05'].map((row) => row.split('|'))
    for (const row of rows) {
      expect(reportMarkdown(both)).toContain(`| ${row.join(' | ')} |`)
      expect(reportHtml(both)).toContain(row.map((text) => `<td class="n">${text}</td>`).join(''))
    }
  })

  it('names what cells differ in beside the accessor', () => {
    const other = cell('copy-checked', 10, { id: 'copy-checked/split/inproc/xdp1/imix/q256/b64', frameBytes: 353.8 })
    const varied = { ...results, cells: [cell('copy-checked', 20), other] }
    const markdown = reportMarkdown(varied)
    expect(markdown).toMatch(/\| copy-checked \| 64B \|/)
    expect(markdown).toMatch(/\| copy-checked \| imix \|/)
    expect(reportHtml(varied)).toContain('copy-checked, imix, SMAP on')
    expect(printResults(varied)).toContain('Common: split ring of 256, batches of 64, backend xdp1.')
  })

  it('a cell that failed and a run without cells still draw', () => {
    const failed = cell('copy-checked', 1, { measured: null, hash: null, failure: 'died' })
    expect(reportHtml({ ...results, cells: [failed] })).toContain('failed: died')
    expect(reportMarkdown({ ...results, cells: [failed] })).toContain(`> ${failed.id} failed: died.`)
    expect(reportHtml({ ...results, cells: [], peers: [] })).toContain('<main')
  })

  it('is Markdown too', () => {
    const markdown = reportMarkdown(results)
    expect(markdown).toContain('| copy-checked | 20.0 [19.8, 20.2] | 5.00 | 5.00 | 6.60 | 6.60 |')
    expect(markdown).toContain('> Busy machine')
    // Every table that the HTML has, those of its charts too.
    const captions = [...html.matchAll(/<p class="caption">([^<]*)<\/p>/g)].map(([, caption]) => caption!)
    expect(captions.length).toBeGreaterThanOrEqual(6)
    for (const caption of captions) expect(escapeHtml(markdown)).toContain(caption)
  })

  it('leaves no name to be taken for Markdown', () => {
    const claims = [{ ...results.claims[0]!, text: '__get_user is <fast> | slow' }]
    const markdown = reportMarkdown({ ...results, claims })
    expect(markdown).toContain('| \\_\\_get\\_user is \\<fast\\> \\| slow |')
    expect(markdown).toContain('- **Not reproduced.** \\_\\_get\\_user is')
    expect(markdown.match(/<details>/g)).toHaveLength(2)
    expect(markdown.match(/^<\/details>$/gm)).toHaveLength(2)
  })

  it('names the command that runs it again, its seed once', () => {
    const given = { ...results, command: ['vring-bench', 'run', '--seed', '7'] }
    for (const draw of [reportHtml, reportMarkdown])
      for (const one of [results, given])
        expect(draw(one).match(/vring-bench run --seed 7(?! --seed)/g)).toHaveLength(1)
  })

  it('axes have round steps that reach the largest value', () => {
    expect(axisTicks(47)).toEqual([0, 10, 20, 30, 40, 50])
    expect(axisTicks(0.9)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1])
    expect(axisTicks(0)).toEqual([0, 1])
  })
})

describe('comparison', () => {
  const pair = (before: number[], after: number[]) => ({
    before: 'a',
    after: 'b',
    trialsBefore: before,
    trialsAfter: after,
    class: null,
    ratios: null,
    floor: null,
  })
  const base = [10, 10.1, 9.9, 10.05, 9.95, 10.02, 9.98, 10.03, 9.97, 10]

  it('tells faster, slower and no change', () => {
    const by = (factor: number): number[] => base.map((value) => value * factor)
    const verdicts = comparePairs([pair(base, by(1.2)), pair(base, by(0.8)), pair(base, base)], seededRandom(1))
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(['faster', 'slower', 'no change'])
    expect(verdicts[0]?.ratio.median).toBeCloseTo(1.2, 10)
  })

  it('one small sample does not make a difference', () => {
    expect(comparePairs([pair([10, 10.1], [12, 12.1])], seededRandom(1))[0]?.verdict).toBe('no change')
  })
})

describe('merge', () => {
  const part = (cells: CellResult[], seed = 7): Results => ({ ...results, seed, cells, peers: [], shard: '1/2' })

  it('puts cells side by side and compares them again', () => {
    const merged = mergeResults([part([cell('copy-checked', 20)]), part([cell('vmap-direct', 50)])])
    expect(merged.cells).toHaveLength(2)
    expect(merged.comparisons?.map(({ verdict }) => verdict)).toEqual(['faster'])
    expect(merged.shard).toBeUndefined()
  })

  it('refuses a cell twice and parts of other seeds', () => {
    const one = part([cell('copy-checked', 20)])
    expect(() => mergeResults([one, one])).toThrow(/is in two of them/)
    expect(() => mergeResults([one, part([cell('vmap-direct', 50)], 8)])).toThrow(/seeds 7 and 8 differ/)
    expect(() => mergeResults([])).toThrow(/missing/)
  })
})
