/** Attributes of an element: text, or true for one without a value; false and undefined leave it out. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

/** What stands in an element; nothing for null. */
export type Content = Node | string | number | null

/** An element with attributes and content. Text is text: nothing is parsed. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...content: readonly Content[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : String(value))
  for (const part of content) if (part !== null) made.append(typeof part === 'number' ? String(part) : part)
  return made
}

/** A button that does something. */
export function button(label: string, action: () => void, attributes: Attributes = {}): HTMLButtonElement {
  const made = element('button', { type: 'button', ...attributes }, label)
  made.addEventListener('click', action)
  return made
}

let fields = 0

/**
 * A select with its visible label, which is not part of it: a label around a select would speak its value too.
 *
 * @param groupOf puts values under headings, in the order in which they come first
 */
export function labelledSelect(
  label: string,
  values: readonly (readonly [value: string, title: string])[],
  chosen: string,
  onChange: (value: string) => void,
  groupOf?: (value: string) => string,
): HTMLElement {
  const option = ([value, title]: readonly [string, string]): HTMLElement =>
    element('option', { value, selected: value === chosen }, title)
  const groups = [...new Set(groupOf === undefined ? [] : values.map(([value]) => groupOf(value)))]
  const options =
    groupOf === undefined
      ? values.map(option)
      : groups.map((label) =>
          element('optgroup', { label }, ...values.filter(([value]) => groupOf(value) === label).map(option)),
        )
  const id = `field-${++fields}`
  const select = element('select', { id }, ...options)
  select.addEventListener('change', () => onChange(select.value))
  return element('div', { class: 'field' }, element('label', { for: id }, label), select)
}

/** A section with a heading, which names it. */
export function section(id: string, title: string, ...content: readonly Content[]): HTMLElement {
  return element('section', { 'aria-labelledby': id, class: 'panel' }, element('h3', { id }, title), ...content)
}

/** A section that can be folded away, and is where the screen is narrower than `openFrom` rem. */
export function foldable(title: string, openFrom: number, ...content: readonly Content[]): HTMLDetailsElement {
  const wide = matchMedia(`(min-width: ${openFrom}rem)`).matches
  const heading = element('summary', {}, element('h3', {}, title))
  return element('details', { class: 'panel', open: wide }, heading, ...content)
}
