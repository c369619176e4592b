import { describe, expect, it } from 'vitest'
import { displayWidth, formatBytes, formatDuration, formatRate, renderTable } from './table.ts'

describe('tables', () => {
  it('align numbers to the right and keep no trailing spaces', () => {
    const table = renderTable(
      [{ title: 'accessor' }, { title: 'Mpps', align: 'right' }],
      [
        ['copy-checked', '5.00'],
        ['x', '143'],
      ],
    )
    expect(table).toBe(
      ['accessor      Mpps', '────────────  ────', 'copy-checked  5.00', 'x              143'].join('\n'),
    )
  })

  it('colours take no width', () => {
    expect(displayWidth('\u001b[32mok\u001b[39m')).toBe(2)
    const table = renderTable([{ title: 'a' }, { title: 'b' }], [['\u001b[32mok\u001b[39m', 'x']])
    expect(table.split('\n')[2]).toBe('\u001b[32mok\u001b[39m  x')
  })

  it('numbers are for people', () => {
    expect([143.4, 28.04, 5, Number.NaN].map(formatRate)).toEqual(['143', '28.0', '5.00', '–'])
    expect([2048, 250 * 2 ** 20].map(formatBytes)).toEqual(['2 KiB', '250 MiB'])
    expect([-5, 12_400, 61_000].map(formatDuration)).toEqual(['0 s', '12 s', '1 min 1 s'])
  })
})
