import type { Page } from 'playwright-core'

/** What is wrong with a page as it is shown now, for people who see little, or nothing, or use no mouse; empty: nothing. */
export function findBarriers(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const findings: string[] = []
    const describe = (element: Element): string =>
      `<${element.tagName.toLowerCase()}> ${(element.textContent ?? '').trim().slice(0, 40)}`
    const isShown = (element: Element): boolean =>
      element.checkVisibility({ opacityProperty: true, visibilityProperty: true })

    // A control without a name is a blank to a screen reader.
    for (const control of document.querySelectorAll('button, a[href], select, input, summary, [tabindex="0"]')) {
      const label = 'labels' in control ? [...((control.labels as NodeListOf<HTMLElement> | null) ?? [])] : []
      const by = control.getAttribute('aria-labelledby')
      const names = [
        control.getAttribute('aria-label'),
        by === null ? null : document.getElementById(by)?.textContent,
        ...label.map(({ textContent }) => textContent),
        control.tagName === 'SELECT' ? null : control.textContent,
      ]
      if (!names.some((name) => (name ?? '').trim() !== '')) findings.push(`no name: ${describe(control)}`)
    }

    // Structure: one main, one h1, headings that skip no level, tables with captions or names and heads.
    for (const [selector, count] of [
      ['main', 1],
      ['h1', 1],
      ['header', 1],
    ] as const)
      if (document.querySelectorAll(selector).length !== count) findings.push(`not exactly one ${selector}`)
    if ((document.documentElement.lang ?? '') === '') findings.push('the page has no language')
    let level = 0
    for (const heading of document.querySelectorAll('h1, h2, h3, h4')) {
      const next = Number(heading.tagName[1])
      if (next > level + 1) findings.push(`h${level} is followed by h${next}: ${heading.textContent}`)
      level = next
    }
    for (const table of document.querySelectorAll('table')) {
      if (table.caption === null && !table.hasAttribute('aria-label'))
        findings.push(`table without a name: ${describe(table)}`)
      if (table.querySelector('th[scope="col"]') === null)
        findings.push(`table without column heads: ${describe(table)}`)
    }
    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id)
    for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) findings.push(`id ${id} twice`)

    // Contrast of text on its background, WCAG 2.2 section 1.4.3.
    const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!
    const rgba = (color: string): number[] => {
      context.clearRect(0, 0, 1, 1)
      context.fillStyle = color
      context.fillRect(0, 0, 1, 1)
      const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data
      return [r!, g!, b!, a! / 255]
    }
    const luminance = (rgb: readonly number[]): number => {
      const linear = rgb.slice(0, 3).map((value) => {
        const share = value / 255
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
      })
      return 0.2126 * linear[0]! + 0.7152 * linear[1]! + 0.0722 * linear[2]!
    }
    const background = (element: Element): number[] => {
      for (let at: Element | null = element; at !== null; at = at.parentElement) {
        const color = rgba(getComputedStyle(at).backgroundColor)
        if (color[3]! > 0.99) return color
      }
      return [255, 255, 255, 1]
    }
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    const seen = new Set<string>()
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const element = node.parentElement!
      if ((node.textContent ?? '').trim() === '' || element.closest('svg, :disabled, option, .skip, .spoken') !== null)
        continue
      if (!isShown(element)) continue
      const style = getComputedStyle(element)
      const [light, dark] = [luminance(rgba(style.color)), luminance(background(element))].sort((a, b) => b - a) as [
        number,
        number,
      ]
      const ratio = (light + 0.05) / (dark + 0.05)
      const size = Number.parseFloat(style.fontSize)
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700)
      const finding = `contrast ${ratio.toFixed(2)} of ${style.color} in <${element.tagName.toLowerCase()} class="${element.className}">`
      if (ratio < (large ? 3 : 4.5) && !seen.has(finding)) {
        seen.add(finding)
        findings.push(finding)
      }
    }

    // What is wider than the screen scrolls by itself.
    const { scrollWidth, clientWidth } = document.documentElement
    if (scrollWidth > clientWidth) findings.push(`the page is ${scrollWidth} wide on a screen of ${clientWidth}`)
    return findings
  })
}

/** Elements that the Tab key reaches from the top, by tag and beginning of their text, at most `limit`. */
export async function tabOrder(page: Page, limit: number): Promise<string[]> {
  await page.evaluate(() => {
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur()
    window.scrollTo(0, 0)
  })
  const order: string[] = []
  for (let presses = 0; presses < limit; presses++) {
    await page.keyboard.press('Tab')
    const at = await page.evaluate(() => {
      const element = document.activeElement
      if (element === null || element === document.body) return null
      const outline = getComputedStyle(element)
      const visible = outline.outlineStyle !== 'none' && Number.parseFloat(outline.outlineWidth) >= 2
      const name = element.getAttribute('aria-label') ?? (element.textContent ?? '').trim().slice(0, 40)
      return `${element.tagName.toLowerCase()} ${name}${visible ? '' : ' (focus not visible)'}`
    })
    if (at === null) break
    order.push(at)
  }
  return order
}
