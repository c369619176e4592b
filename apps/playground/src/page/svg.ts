const NAMESPACE = 'http://www.w3.org/2000/svg'

/** An SVG element with attributes and content. Text is text: nothing is parsed. */
export function svg(
  tag: string,
  attributes: Readonly<Record<string, string | number>> = {},
  ...content: readonly (Node | string)[]
): SVGElement {
  const made = document.createElementNS(NAMESPACE, tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value))
  made.append(...content)
  return made
}
