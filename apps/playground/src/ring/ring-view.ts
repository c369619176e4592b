import type { Moment } from '../machine/moment.ts'
import { ACTIONS_MAX, Session } from '../machine/session.ts'
import { button, element, foldable, section } from '../page/element.ts'
import { HistoryList } from '../page/history-list.ts'
import { setEnabled, Transport } from '../page/transport.ts'
import { Controls } from './controls.ts'
import { EXAMPLES, type Example } from './examples.ts'
import { memoryTables } from './memory-tables.ts'
import { ringDrawing } from './ring-drawing.ts'
import { ringTables } from './ring-tables.ts'
import { stepTables } from './step-table.ts'

/** What the colours of cells mean. */
const MARKS = [
  ['read', 'just read'],
  ['written', 'just written'],
  ['changed', 'changed otherwise'],
] as const

/** The view of one ring: what happened on top, what can happen at the side, and everything as it was at that moment. */
export class RingView {
  readonly #session: Session
  readonly #transport: Transport
  readonly #controls: Controls
  readonly #history: HistoryList
  readonly #undo: HTMLButtonElement
  readonly #redo: HTMLButtonElement
  readonly #about = element('p', { role: 'status' })
  readonly #ring = element('div')
  readonly #memory = element('div')
  readonly #steps = element('div')

  constructor(root: HTMLElement) {
    const [first] = EXAMPLES
    this.#session = new Session(first!.options)
    const session = this.#session
    const change = (what: () => void) => (): void => {
      what()
      this.#show()
    }
    this.#undo = button(
      'Undo',
      change(() => session.undo()),
    )
    this.#redo = button(
      'Redo',
      change(() => session.redo()),
    )
    const reset = button(
      'Reset',
      // A copy: it is no example any more.
      change(() => session.load({ ...session.options }, [])),
    )
    this.#transport = new Transport(
      'What happens',
      {
        first: change(() => session.goTo(0)),
        back: change(() => session.goTo(session.cursor - 1)),
        step: change(() => session.step()),
        last: change(() => session.goTo(session.moments.length - 1)),
      },
      [this.#undo, this.#redo, reset],
    )
    this.#controls = new Controls({
      act: (action) => change(() => session.act(action))(),
      begin: (options) => change(() => session.load(options, []))(),
    })
    this.#history = new HistoryList('Everything that happened', (index) => change(() => session.goTo(index))())
    const examples = EXAMPLES.map((example) =>
      button(
        example.title,
        change(() => this.#load(example)),
      ),
    )
    const legend = element(
      'p',
      { class: 'soft legend' },
      ...MARKS.flatMap(([mark, meaning]) => [element('span', { class: `mark ${mark}` }, meaning), ' ']),
      '◂ the device goes on here',
    )
    root.append(
      element('h2', { class: 'spoken' }, 'Ring and memory'),
      foldable(
        'Show me',
        40,
        element('div', { class: 'buttons' }, ...examples),
        this.#about,
        element(
          'p',
          { class: 'soft' },
          'Step through it; at any place, in mid-round too, let something else happen: what came after it is run again.',
        ),
      ),
      this.#transport.root,
      element(
        'div',
        { class: 'columns' },
        element('div', { class: 'side' }, this.#controls.root),
        element(
          'div',
          { class: 'wide' },
          section('ring-title', 'Ring', legend, this.#ring),
          section('tables-title', 'Memory', this.#memory),
          section('steps-title', 'Steps', this.#steps),
          section('history-title', 'History', this.#history.root),
        ),
      ),
    )
    this.#load(first!)
    this.#show()
  }

  #load({ options, script, at }: Example): void {
    this.#session.load(options, script)
    this.#session.goTo(this.#session.moments.findLastIndex(({ title }) => title === at))
  }

  #show(): void {
    const { current, previous, moments, cursor, isFull } = this.#session
    const { snapshot } = current
    const full = isFull ? ` The history is full at ${ACTIONS_MAX} actions: undo, or reset.` : ''
    const place = `${cursor + 1} of ${moments.length}, ${current.actor}`
    this.#transport.show(
      place,
      current.title,
      (current.detail ?? '') + full,
      current.steps ?? [],
      current.fault === true,
    )
    this.#transport.enable({ back: cursor > 0, step: true, last: cursor < moments.length - 1 })
    setEnabled([this.#undo], this.#session.canUndo, this.#redo)
    setEnabled([this.#redo], this.#session.canRedo, this.#undo)
    this.#controls.show(this.#session.options, snapshot.queue.accessor, snapshot.iotlb !== null)
    this.#ring.replaceChildren(ringDrawing(current, previous), ringTables(current, previous), queueLine(current))
    this.#memory.replaceChildren(memoryTables(current, previous))
    this.#steps.replaceChildren(stepTables(current))
    const example = EXAMPLES.find(({ options }) => options === this.#session.options)
    const about = example === undefined ? '' : `${example.title}. ${example.about}`
    // Spoken when it changes, not at every step.
    if (this.#about.textContent !== about)
      this.#about.replaceChildren(
        ...(example === undefined ? [] : [element('strong', {}, `${example.title}.`), ` ${example.about}`]),
      )
    this.#history.show(moments, lineOf, cursor)
  }
}

function lineOf({ actor, title, trace, fault }: Moment) {
  return { actor, title, note: trace?.mode ?? '', fault: fault === true }
}

/** What both sides keep to themselves. */
function queueLine({ snapshot }: Moment): HTMLElement {
  const { nextAvail, usedIdx, wraps, broken, availIdx, lastUsed, freeDescriptors } = snapshot.queue
  const device =
    wraps === null
      ? `Device: takes avail index ${nextAvail} next, used index ${usedIdx}`
      : `Device: takes slot ${nextAvail} next (wrap ${wraps[0]}), uses slot ${usedIdx} next (wrap ${wraps[1]})`
  const driver =
    availIdx === null ? `takes slot ${lastUsed} back next` : `added up to ${availIdx}, took ${lastUsed} back`
  return element(
    'p',
    { class: 'soft' },
    `${device}${broken === null ? '' : `, broken: ${broken}`}. Driver: ${driver}, ${freeDescriptors} descriptors free.`,
  )
}
