import type { ProgramStepper } from '@vring/ebpf'
import { element } from '../page/element.ts'

const READING = 'Slots are counted in 8 bytes: a 64-bit immediate takes two. What no path reaches is pale.'

/** The instructions of a program with the lines of its source; one is the next to be executed. */
export class CodeListing {
  readonly root: HTMLElement
  readonly #frame: HTMLElement
  readonly #rows = new Map<number, HTMLElement>()
  #current: HTMLElement | null = null

  constructor({ instructions, name, verifiedInstructions }: ProgramStepper) {
    let line = -1
    const rows = instructions.map(({ slot, text, source, visits }) => {
      const isNew = source !== undefined && source.line !== line
      line = source?.line ?? line
      const row = element(
        'tr',
        { class: visits === 0 ? 'unreached' : undefined },
        element('th', { scope: 'row' }, slot),
        element('td', {}, text),
        element('td', { class: 'source' }, isNew && source.line > 0 ? `${source.line}: ${source.text.trim()}` : ''),
      )
      this.#rows.set(slot, row)
      return row
    })
    const head = ['slot', 'instruction', 'source'].map((title) => element('th', { scope: 'col' }, title))
    this.#frame = element(
      'div',
      { class: 'scroll listing', tabindex: 0, role: 'region', 'aria-label': 'Instructions' },
      element(
        'table',
        {},
        element('caption', {}, `${name}: verified over ${verifiedInstructions} instructions of all paths`),
        element('thead', {}, element('tr', {}, ...head)),
        element('tbody', {}, ...rows),
      ),
    )
    this.root = element('div', {}, element('p', { class: 'soft' }, READING), this.#frame)
  }

  /** Marks the instruction at a slot, and scrolls the list so that it is in sight; -1: none. */
  mark(slot: number): void {
    this.#current?.removeAttribute('aria-current')
    this.#current = this.#rows.get(slot) ?? null
    if (this.#current === null) return
    this.#current.setAttribute('aria-current', 'step')
    const { offsetTop: top, offsetHeight: height } = this.#current
    const { scrollTop, clientHeight } = this.#frame
    if (top < scrollTop + height * 2 || top + 2 * height > scrollTop + clientHeight)
      this.#frame.scrollTop = top - clientHeight / 2
  }
}
