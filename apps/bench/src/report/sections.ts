import { escapeHtml, htmlTable } from './html.ts'
import { inParts } from './parts.ts'
import { tally } from './report-summary.ts'
import type { ReportTable } from './report-tables.ts'

/** A part of the report with a heading, which a link leads to. */
export interface Section {
  readonly id: string
  readonly title: string
  readonly body: string
}

/** A section by its title. */
export function section(title: string, body: string): Section {
  return { id: title.toLowerCase().replaceAll(/[^a-z]+/g, '-'), title, body }
}

/** Nothing for a table without rows. */
export function tableSection(title: string, content: ReportTable): Section | null {
  return content.rows.length === 0 ? null : section(title, table(content))
}

/** Rows of one table, strips or bars of one chart, and curves of one section that are still read at once. */
const ROWS = 100
export const STRIPS = 40
export const CURVES = 6

/** A table, in parts that open by hand where it has many rows. */
export function table({ caption, columns, rows, paths = [] }: ReportTable): string {
  if (rows.length <= ROWS) return htmlTable(caption, columns, rows)
  const placed = rows.map((item, index) => ({ path: paths[index] ?? [], item }))
  const verdict = columns.findIndex(({ title }) => title === 'verdict')
  const parts = inParts(placed, ROWS, {
    draw: (part, path) => htmlTable(path.join(', '), columns, part),
    summary: (part) => `${part.length} rows${verdict < 0 ? '' : `: ${tally(part.map((row) => row[verdict]!))}`}`,
  })
  return `<p class="caption">${escapeHtml(caption)} ${rows.length} rows, in parts.</p>${parts}`
}
