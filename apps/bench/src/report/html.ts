/** Text that is safe in HTML, attribute values included. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** A column of a report's table. */
export interface HtmlColumn {
  readonly title: string
  /** Numbers are aligned on their last digit. */
  readonly number?: boolean
}

/** Escaped text of a name such as `vmap-direct:sync=rcu/split`, which may be broken behind its parts. */
function breakable(text: string): string {
  return escapeHtml(text).replaceAll(/(?<=[:/])(?=\w)/g, '<wbr>')
}

/** A table that scrolls by itself on a narrow screen and can be reached by keyboard. Cells are text, not HTML. */
export function htmlTable(
  caption: string,
  columns: readonly HtmlColumn[],
  rows: readonly (readonly string[])[],
): string {
  const cell = (tag: 'th' | 'td', html: string, { number }: HtmlColumn, scope = ''): string =>
    `<${tag}${number ? ' class="n"' : ''}${scope}>${html}</${tag}>`
  const head = columns.map((column) => cell('th', escapeHtml(column.title), column, ' scope="col"')).join('')
  const body = rows.map((row) => {
    const cells = columns.map((column, index) =>
      index === 0
        ? cell('th', breakable(row[0] ?? ''), column, ' scope="row"')
        : cell('td', escapeHtml(row[index] ?? ''), column),
    )
    return `<tr>${cells.join('')}</tr>`
  })
  return [
    // Outside the table, so that it wraps with the page and does not scroll away.
    `<p class="caption">${escapeHtml(caption)}</p>`,
    `<div class="scroll" tabindex="0" role="region" aria-label="${escapeHtml(caption)}"><table aria-label="${escapeHtml(caption)}">`,
    `<thead><tr>${head}</tr></thead><tbody>${body.join('\n')}</tbody></table></div>`,
  ].join('\n')
}

/**
 * A chart for the eye and its table for everybody else: the picture is one labelled image, the numbers are below it.
 *
 * @param svg markup made by a chart function
 */
export function figure(id: string, title: string, description: string, svg: string, table: string): string {
  return [
    `<figure><figcaption id="${id}"><strong>${escapeHtml(title)}</strong> ${escapeHtml(description)}</figcaption>`,
    `<div class="scroll chart" tabindex="0" role="img" aria-labelledby="${id}">${svg}</div>`,
    `<details><summary>The same as a table</summary>${table}</details></figure>`,
  ].join('\n')
}
