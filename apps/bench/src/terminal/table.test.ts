import { describe, expect, it } from 'vitest'
import { displayWidth } from './display-width.ts'
import { renderTable } from './table.ts'

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

  const COLUMNS = [{ title: 'accessor' }, { title: 'measured Mpps [95 %]', align: 'right' }, { title: 'hash' }] as const
  const ROW = ['vmap-direct:mapping=vmap:sync=mutex/split/inproc/xdp1/64B/q256/b64', '90.1 [89.2, 91.3]', '']
  const onTerminal = (width: number, ...rows: string[][]): string =>
    renderTable(COLUMNS, rows, (text) => `<${text}>`, width)

  it('become blocks where the terminal is narrower than they are, and leave out what is empty', () => {
    const short = ['copy-checked', '40.0 [39.6, 40.4]', 'abcdef01']
    expect(onTerminal(43, short, ['x', '9.00', ''])).toBe(
      [
        '<copy-checked>',
        '  measured Mpps [95 %]  40.0 [39.6, 40.4]',
        '  hash                  abcdef01',
        '',
        '<x>',
        '  measured Mpps [95 %]  9.00',
      ].join('\n'),
    )
    expect(onTerminal(44, short)).toMatch(/^<accessor {6}measured/)
    expect(onTerminal(40, short).split('\n').slice(1, 3)).toEqual(['  measured Mpps [95 %]', '    40.0 [39.6, 40.4]'])
  })

  it('no line of a block is wider than the terminal, however narrow', () => {
    for (const width of [24, 30, 40, 60, 80]) {
      const lines = onTerminal(width, ROW).replaceAll(/[<>]/g, '').split('\n')
      for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width)
      const [id, rate] = [ROW[0]!, ROW[1]!].map((text) => text.replaceAll(' ', ''))
      expect(lines.join('').replaceAll(' ', '')).toBe(`${id}measuredMpps[95%]${rate}`)
    }
  })
})
