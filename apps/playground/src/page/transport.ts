import { button, element } from './element.ts'

/** What the buttons of a {@link Transport} do. */
export interface TransportActions {
  first(): void
  back(): void
  step(): void
  last(): void
}

/** Buttons that move through a history, and the line that says where one is. The line is spoken when it changes. */
export class Transport {
  readonly root: HTMLElement
  readonly #place = element('p', { class: 'place' })
  readonly #title = element('p', { class: 'now' })
  readonly #detail = element('p', { class: 'detail' })
  readonly #chips = element('ul', { class: 'chips', 'aria-label': 'Steps of this access', hidden: true })
  readonly #first: HTMLButtonElement
  readonly #back: HTMLButtonElement
  readonly #step: HTMLButtonElement
  readonly #last: HTMLButtonElement

  constructor(label: string, actions: TransportActions, more: readonly HTMLElement[] = []) {
    this.#first = button('First', () => actions.first())
    this.#back = button('Back', () => actions.back())
    this.#step = button('Step', () => actions.step(), { class: 'primary' })
    this.#last = button('Last', () => actions.last())
    this.root = element(
      'section',
      { class: 'transport', 'aria-label': label },
      element('div', { class: 'buttons' }, this.#step, this.#back, this.#first, this.#last, ...more),
      element(
        'div',
        { class: 'happened', role: 'status', 'aria-live': 'polite' },
        this.#place,
        this.#title,
        this.#detail,
      ),
      this.#chips,
    )
    document.addEventListener('keydown', (event) => this.#arrow(event, actions))
  }

  /** Arrows to the sides walk, wherever the page is, unless what has the focus takes them for itself. */
  #arrow(event: KeyboardEvent, actions: TransportActions): void {
    const { key, target } = event
    if (this.root.offsetParent === null || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return
    if (target instanceof Element && target.closest('select, input, .scroll, .history-frame') !== null) return
    if (key === 'ArrowRight' && !this.#step.disabled) actions.step()
    else if (key === 'ArrowLeft' && !this.#back.disabled) actions.back()
    else return
    event.preventDefault()
  }

  /** Shows where one is. */
  show(place: string, title: string, detail: string, chips: readonly string[], fault: boolean): void {
    this.#place.textContent = place
    this.#title.textContent = title
    this.#title.classList.toggle('fault', fault)
    this.#detail.textContent = detail
    this.#chips.replaceChildren(...chips.map((chip) => element('li', { class: `step-${chip}` }, chip)))
    this.#chips.hidden = chips.length === 0
  }

  /** What can be done now. A button that had the focus and can't be pressed any more gives it to Step. */
  enable(can: { readonly back: boolean; readonly step: boolean; readonly last: boolean }): void {
    setEnabled([this.#first, this.#back], can.back, this.#step)
    setEnabled([this.#last], can.last, this.#step)
    setEnabled([this.#step], can.step, this.#back)
  }
}

/** Enables or disables buttons without losing the keyboard's place. */
export function setEnabled(buttons: readonly HTMLButtonElement[], enabled: boolean, refuge: HTMLElement): void {
  for (const one of buttons) {
    const focused = document.activeElement === one
    one.disabled = !enabled
    if (focused && !enabled) refuge.focus()
  }
}
