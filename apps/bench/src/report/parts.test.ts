import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { madeCell, madeResults } from '../../test/made-results.ts'
import type { CellResult, Results } from '../results/results.ts'
import { inParts, type Placed } from './parts.ts'
import { reportHtml } from './report-html.ts'

const LIST = {
  draw: (items: readonly number[], path: readonly string[]): string => `[${[...path, items.join(' ')].join('; ')}]`,
  summary: (items: readonly number[]): string => `${items.length} numbers`,
}
const at = (item: number, ...path: string[]): Placed<number> => ({ path, item })

describe('parts', () => {
  it('few things are drawn at once', () => {
    expect(inParts([at(1, 'a'), at(2, 'b')], 2, LIST)).toBe('[1 2]')
    expect(inParts([], 2, LIST)).toBe('[]')
  })

  it('more are told apart by the first condition that differs, and then by the next', () => {
    const placed = [at(1, 'all', 'a', 'x'), at(2, 'all', 'a', 'y'), at(3, 'all', 'b', 'x')]
    expect(inParts(placed, 1, LIST).replaceAll(/<details class="part">|<\/?strong>|\n/g, '')).toBe(
      '<summary>a: 2 numbers</summary><summary>x: 1 numbers</summary>[a; x; 1]</details>' +
        '<summary>y: 1 numbers</summary>[a; y; 2]</details></details>' +
        '<summary>b: 1 numbers</summary>[b; 3]</details>',
    )
  })

  it('what no condition tells apart is counted off', () => {
    expect(inParts([at(7), at(8), at(9)], 2, LIST)).toMatch(/1 to 2<.*\[1 to 2; 7 8\][\s\S]*3 to 3<.*\[3 to 3; 9\]/)
  })

  it('every thing is drawn once, in parts that are small enough, whatever the conditions', () => {
    const place = fc.record({ path: fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 }), item: fc.nat() })
    fc.assert(
      fc.property(fc.array(place, { maxLength: 60 }), fc.integer({ min: 1, max: 9 }), (placed, most) => {
        const drawn: number[][] = []
        inParts(placed, most, { ...LIST, draw: (items) => String(drawn.push([...items])) })
        expect(drawn.flat().sort()).toEqual(placed.map(({ item }) => item).sort())
        for (const items of drawn) expect(items.length).toBeLessThanOrEqual(most)
      }),
    )
  })
})

describe('the report of a large sweep', () => {
  const cells = [64, 128, 256, 512].flatMap((queueSize) =>
    Array.from({ length: 32 }, (_, index) => index + 1).flatMap((batch) =>
      ['copy-checked', 'nospec-masked', 'vmap-direct'].map((name): CellResult => {
        return { ...madeCell(name, 40, { queueSize, batch }), sweep: { 'queue-size': queueSize, batch } }
      }),
    ),
  )
  const comparisons = cells
    .filter(({ accessor }) => accessor !== 'copy-checked')
    .map(({ id, batch }): NonNullable<Results['comparisons']>[number] => ({
      before: id.replace(/^[^/]+/, 'copy-checked'),
      after: id,
      ratio: { median: 1.5, low: 1.4, high: 1.6 },
      p: 0.01,
      verdict: batch === 1 ? 'faster' : 'no change',
    }))
  const rowsOf = (html: string): number[] =>
    html.split('<tbody>').map((body) => body.split('</tbody>')[0]!.split('<tr>').length - 1)

  it('has all of it in parts that open by hand, each with what is in it', () => {
    const html = reportHtml(madeResults(cells, { comparisons }))
    for (const rows of rowsOf(html)) expect(rows).toBeLessThanOrEqual(100)
    expect(html).toContain('256 rows, in parts.')
    expect(html).toContain('<summary><strong>queue-size 64</strong>: 64 rows: 2 faster, 62 no change</summary>')
    expect(html).toContain('<summary><strong>over batch</strong>: 4 charts</summary>')
    for (const { accessor, queueSize, batch } of cells.slice(1))
      if (accessor !== 'copy-checked')
        expect(html).toContain(`<th scope="row">${accessor}, queue-size ${queueSize}, batch ${batch}</th>`)
    expect(html).not.toContain('<script')
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('draws charts of many cells in parts, too', () => {
    const many = Array.from({ length: 130 }, (_, index): CellResult => {
      const parts = [{ profile: 'v4', smap: 'on', mpps: 5, parts: { base: 100 } } as const]
      return madeCell(`accessor-${index}`, 40, { modelled: parts })
    })
    const html = reportHtml(madeResults(many))
    for (const rows of rowsOf(html)) expect(rows).toBeLessThanOrEqual(100)
    expect(html).toContain('<summary><strong>121 to 130</strong>: trials of 10 cells</summary>')
    expect(html).toContain('<summary><strong>121 to 130</strong>: 10 bars</summary>')
    expect(html).toContain('<strong>Distribution of trials: 121 to 130.</strong>')
  })

  it('leaves the report of a default run as it is', () => {
    const html = reportHtml(madeResults(['copy-checked', 'vmap-direct', 'baseline'].map((name) => madeCell(name, 40))))
    expect(html).not.toContain('class="part"')
  })
})
