import { element } from './element.ts'

/** A cell of a {@link dataTable}: its text, and what is to be seen at once. */
export interface Cell {
  readonly text: string
  /** `read`, `written`: the access just made; `changed`: it differs from the moment before; `bad`: it must not be. */
  readonly mark?: 'read' | 'written' | 'changed' | 'bad' | undefined
}

/** What a mark means, for those who don't see colours. */
const SPOKEN = { read: 'just read', written: 'just written', changed: 'changed', bad: 'fault' } as const

/** A table with a caption that scrolls by itself where the screen is narrow; the first cell of a row heads it. */
export function dataTable(
  caption: string,
  columns: readonly string[],
  rows: readonly (readonly (Cell | string)[])[],
  empty = '',
): HTMLElement {
  const head = element('tr', {}, ...columns.map((title) => element('th', { scope: 'col' }, title)))
  const body = rows.map((cells) =>
    element(
      'tr',
      {},
      ...cells.map((cell, index) => {
        const { text, mark } = typeof cell === 'string' ? { text: cell, mark: undefined } : cell
        const attributes = { class: mark === undefined ? undefined : `mark ${mark}` }
        const spoken = mark === undefined ? null : element('span', { class: 'spoken' }, ` (${SPOKEN[mark]})`)
        return index === 0
          ? element('th', { scope: 'row', ...attributes }, text, spoken)
          : element('td', attributes, text, spoken)
      }),
    ),
  )
  if (rows.length === 0)
    body.push(element('tr', {}, element('td', { colspan: columns.length, class: 'soft' }, empty || 'none')))
  return element(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption },
    element('table', {}, element('caption', {}, caption), element('thead', {}, head), element('tbody', {}, ...body)),
  )
}
