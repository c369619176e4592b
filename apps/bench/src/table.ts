/** A column of a terminal table. */
export interface Column {
  readonly title: string
  /** Numbers are right-aligned on their last digit. */
  readonly align?: 'left' | 'right'
}

/** Escape sequences that colours are made of: they take no width. */
// biome-ignore lint/complexity/useRegexLiterals: an escape character in a literal is refused
const ANSI = new RegExp('\\u001b\\[[0-9;]*m', 'g')

/** Columns that a text takes on a terminal. */
export function displayWidth(text: string): number {
  return [...text.replace(ANSI, '')].length
}

/**
 * Rows under their titles, two spaces between columns, no line longer than its content.
 *
 * @param style applied to titles and rule (bold, dim); identity by default
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style: (text: string) => string = (text) => text,
): string {
  const widths = columns.map(({ title }, index) =>
    Math.max(displayWidth(title), ...rows.map((row) => displayWidth(row[index] ?? ''))),
  )
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, index) => {
        const cell = cells[index] ?? ''
        const gap = ' '.repeat(widths[index]! - displayWidth(cell))
        return align === 'right' ? gap + cell : cell + gap
      })
      .join('  ')
      .trimEnd()
  return [
    style(line(columns.map(({ title }) => title))),
    style(widths.map((width) => '─'.repeat(width)).join('  ')),
    ...rows.map(line),
  ].join('\n')
}

/** A rate for people: three significant digits. */
export function formatRate(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (value >= 100) return value.toFixed(0)
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** Bytes for people, in binary units. */
export function formatBytes(bytes: number): string {
  return bytes >= 1 << 20 ? `${Math.round(bytes / (1 << 20))} MiB` : `${Math.round(bytes / 1024)} KiB`
}

/** A time to wait, for people. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}
