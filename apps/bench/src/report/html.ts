/** Text that is safe in HTML, attribute values included. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** A column of a report's table. */
export interface HtmlColumn {
  readonly title: string
  /** Numbers are aligned on their last digit. */
  readonly number?: boolean
  /** Sentences, which take the room that there is. */
  readonly wide?: boolean
  /** Verdicts: each has a mark and a colour. */
  readonly verdict?: boolean
}

/** Class of a cell, from its column and its text. */
function cellClass({ number, wide, verdict }: HtmlColumn, content: string): string {
  const names = [number && 'n', wide && 'wide', verdict && `verdict ${content.replaceAll(' ', '-')}`].filter(Boolean)
  return names.length === 0 ? '' : ` class="${escapeHtml(names.join(' '))}"`
}

/** A name such as `vmap-direct:sync=rcu:hold=access, packed`: what it is of, its options, and what follows. */
export function nameParts(text: string): readonly [name: string, options: string, rest: string] {
  const [, name = text, options = '', rest = ''] = /^(.*?[\w-]+)((?::[\w-]+=[\w.-]+)+)(.*)$/.exec(text) ?? []
  return [name, options.slice(1).replaceAll(':', ' '), rest]
}

/** Markup of a name, which may be broken after its parts; its options are small, below it. */
function breakable(text: string): string {
  const [name, options, rest] = nameParts(text)
  const markup = escapeHtml(name + rest).replaceAll(/(?<=[:/])(?=\w)/g, '<wbr>')
  return options === '' ? markup : `${markup} <small>${escapeHtml(options)}</small>`
}

/** A table that scrolls by itself on a narrow screen and can be reached by keyboard. Cells are text, not HTML. */
export function htmlTable(
  caption: string,
  columns: readonly HtmlColumn[],
  rows: readonly (readonly string[])[],
): string {
  const head = columns.map(
    (column) => `<th${cellClass({ ...column, verdict: false }, '')} scope="col">${escapeHtml(column.title)}</th>`,
  )
  const body = rows.map((row) => {
    const cells = columns.map((column, index) => {
      const content = row[index] ?? ''
      return index === 0
        ? `<th${cellClass(column, content)} scope="row">${breakable(content)}</th>`
        : `<td${cellClass(column, content)}>${escapeHtml(content)}</td>`
    })
    return `<tr>${cells.join('')}</tr>`
  })
  return [
    // Outside the table, so that it wraps with the page and does not scroll away.
    `<p class="caption">${escapeHtml(caption)}</p>`,
    `<div class="scroll" tabindex="0" role="region" aria-label="${escapeHtml(caption)}"><table aria-label="${escapeHtml(caption)}">`,
    `<thead><tr>${head.join('')}</tr></thead><tbody>${body.join('\n')}</tbody></table></div>`,
  ].join('\n')
}

/**
 * A chart for the eye and its table for all other readers: the picture is one labelled image, the numbers are below it.
 *
 * @param chart markup made by a chart function
 */
export function figure(id: string, title: string, description: string, chart: string, table: string): string {
  return [
    `<figure><figcaption id="${id}"><strong>${escapeHtml(title)}</strong> ${escapeHtml(description)}</figcaption>`,
    `<div class="chart" role="img" aria-labelledby="${id}">${chart}</div>`,
    `<details><summary>The same as a table</summary>${table}</details></figure>`,
  ].join('\n')
}
