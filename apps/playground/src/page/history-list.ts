import { element } from './element.ts'

/** One line of a {@link HistoryList}. */
export interface HistoryLine {
  readonly actor: string
  readonly title: string
  readonly note: string
  readonly fault: boolean
}

/**
 * A list of what happened, one button a line: pressing one goes there. One line takes part in the order of the Tab key,
 * arrows move between lines.
 */
export class HistoryList {
  readonly root: HTMLElement
  readonly #list = element('ol', { class: 'history' })
  readonly #goTo: (index: number) => void
  #lines: readonly unknown[] = []
  #current = -1

  constructor(label: string, goTo: (index: number) => void) {
    this.#goTo = goTo
    this.root = element('div', { class: 'history-frame', role: 'region', 'aria-label': label }, this.#list)
    this.#list.addEventListener('keydown', (event) => this.#move(event))
  }

  /** Shows lines, made of `items` where these are not the ones already shown, and which of them is the current one. */
  show<T>(items: readonly T[], lineOf: (item: T) => HistoryLine, current: number): void {
    const same = items.length >= this.#lines.length && this.#lines.every((line, index) => line === items[index])
    if (!same) this.#list.replaceChildren()
    for (let index = this.#list.children.length; index < items.length; index++)
      this.#list.append(this.#line(lineOf(items[index]!), index))
    this.#lines = [...items]
    this.#mark(this.#current, false)
    this.#mark(current, true)
    this.#current = current
    this.#reveal(current)
  }

  #line({ actor, title, note, fault }: HistoryLine, index: number): HTMLElement {
    const line = element(
      'button',
      { type: 'button', tabindex: -1, class: fault ? 'fault' : undefined },
      element('span', { class: `actor ${actor}` }, actor),
      element('span', { class: 'what' }, title),
      note === '' ? null : element('span', { class: 'soft' }, note),
    )
    line.addEventListener('click', () => this.#goTo(index))
    return element('li', {}, line)
  }

  #button(index: number): HTMLButtonElement | null {
    return this.#list.children[index]?.querySelector('button') ?? null
  }

  #mark(index: number, current: boolean): void {
    const line = this.#button(index)
    if (line === null) return
    if (current) line.setAttribute('aria-current', 'step')
    else line.removeAttribute('aria-current')
    line.tabIndex = current ? 0 : -1
  }

  /** Scrolls the list, and only the list, so that the line is in sight. */
  #reveal(index: number): void {
    const line = this.#button(index)
    if (line === null) return
    const top = line.offsetTop - this.root.offsetTop
    if (top < this.root.scrollTop || top + line.offsetHeight > this.root.scrollTop + this.root.clientHeight)
      this.root.scrollTop = top - this.root.clientHeight / 2
  }

  #move(event: KeyboardEvent): void {
    const moves: Readonly<Record<string, number>> = {
      ArrowDown: this.#current + 1,
      ArrowUp: this.#current - 1,
      Home: 0,
    }
    const to = event.key === 'End' ? this.#lines.length - 1 : moves[event.key]
    if (to === undefined || to < 0 || to >= this.#lines.length) return
    event.preventDefault()
    this.#goTo(to)
    this.#button(to)?.focus()
  }
}
