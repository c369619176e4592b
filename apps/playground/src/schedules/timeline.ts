import type { Finding } from '@vring/explorer'
import { element } from '../page/element.ts'
import { stepText } from './shared-variables.ts'

/** A schedule as a table: a column a thread, a row a step; steps that lie ahead are dimmed. */
export class Timeline {
  readonly root: HTMLElement
  readonly #rows: readonly HTMLTableRowElement[]

  constructor({ threads, schedule }: Finding) {
    this.#rows = schedule.map((step, index) =>
      element(
        'tr',
        {},
        element('th', { scope: 'row' }, index + 1),
        ...threads.map((_, thread) => element('td', {}, thread === step.thread ? stepText(step) : '')),
      ),
    )
    const head = ['step', ...threads].map((title) => element('th', { scope: 'col' }, title))
    this.#rows.at(-1)?.classList.add('goes-wrong')
    this.root = element(
      'div',
      { class: 'scroll timeline', tabindex: 0, role: 'region', 'aria-label': 'Schedule, a column a thread' },
      element(
        'table',
        {},
        element('caption', {}, 'Schedule, a column a thread'),
        element('thead', {}, element('tr', {}, ...head)),
        element('tbody', {}, ...this.#rows),
      ),
    )
  }

  /** Marks step `current` (from 1; 0: none yet) and dims what comes after it. */
  mark(current: number): void {
    this.#rows.forEach((row, index) => {
      row.classList.toggle('ahead', index >= current)
      if (index === current - 1) row.setAttribute('aria-current', 'step')
      else row.removeAttribute('aria-current')
    })
    const row = this.#rows[current - 1]
    this.root.scrollTop = row === undefined ? 0 : row.offsetTop - this.root.clientHeight / 2
  }
}
