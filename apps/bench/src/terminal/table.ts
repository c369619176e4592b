import { displayWidth } from './display-width.ts'
import { TERMINAL_WIDTH } from './terminal-width.ts'
import { wrapLine } from './wrap-text.ts'

/** A column of a terminal table. */
export interface Column {
  readonly title: string
  /** Numbers are right-aligned on their last digit. */
  readonly align?: 'left' | 'right'
}

/** Room in which a long value is broken beside the names of a block; with less it goes below its name. */
const VALUE_ROOM = 24

/**
 * Rows under their titles, two spaces between columns, no line longer than its content. Where that is wider than the
 * terminal, each row is a block instead. It has its first cell, and below it a line for each other one, with its title.
 *
 * @param style applied to titles, rule and the first lines of blocks (bold, dim)
 * @param width columns that there are
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style: (text: string) => string = (text) => text,
  width: number = TERMINAL_WIDTH,
): string {
  const widths = columns.map(({ title }, index) =>
    rows.reduce((most, row) => Math.max(most, displayWidth(row[index] ?? '')), displayWidth(title)),
  )
  const whole = widths.reduce((sum, one) => sum + one + GAP.length, -GAP.length)
  return whole <= width ? asGrid(columns, rows, style, widths) : asBlocks(columns, rows, style, width)
}

const GAP = '  '

function asGrid(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style: (text: string) => string,
  widths: readonly number[],
): string {
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, index) => {
        const cell = cells[index] ?? ''
        const gap = ' '.repeat(widths[index]! - displayWidth(cell))
        return align === 'right' ? gap + cell : cell + gap
      })
      .join(GAP)
      .trimEnd()
  return [
    style(line(columns.map(({ title }) => title))),
    style(widths.map((width) => '─'.repeat(width)).join(GAP)),
    ...rows.map(line),
  ].join('\n')
}

function asBlocks(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style: (text: string) => string,
  width: number,
): string {
  const names = columns.map(({ title }) => displayWidth(title))
  const beside = Math.max(...names) + 2 * GAP.length
  const line = (title: string, value: string): string[] => {
    if (title === '') return hanging(GAP, value, width)
    const room = width - beside
    if (room < VALUE_ROOM && displayWidth(value) > room)
      return [...hanging(GAP, title, width), ...indented(value, 2 * GAP.length, width)]
    const [first = '', ...more] = indented(value, beside, width)
    return [GAP + title + first.slice(GAP.length + displayWidth(title)), ...more]
  }
  return rows
    .map(([first = '', ...rest]) =>
      [
        ...hanging('', first, width).map(style),
        ...rest.flatMap((value, index) => (value === '' ? [] : line(columns[index + 1]?.title ?? '', value))),
      ].join('\n'),
    )
    .join('\n\n')
}

/** A text in lines that begin at this column. */
function indented(text: string, column: number, width: number): string[] {
  return wrapLine(text, width - column).map((piece) => ' '.repeat(column) + piece)
}

/** A text after `indent`, and what does not fit on its line two columns further in. */
function hanging(indent: string, text: string, width: number): string[] {
  const room = Math.max(1, width - indent.length - GAP.length)
  return wrapLine(text, room).map((piece, index) => indent + (index === 0 ? '' : GAP) + piece)
}
