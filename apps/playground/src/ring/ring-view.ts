import type { Moment } from '../machine/moment.ts'
import { ACTIONS_MAX, Session } from '../machine/session.ts'
import { addressText, nameOf } from '../page/address.ts'
import { button, element, foldable, section } from '../page/element.ts'
import { HistoryList } from '../page/history-list.ts'
import { setEnabled, Transport } from '../page/transport.ts'
import { Controls } from './controls.ts'
import { EXAMPLES, type Example } from './examples.ts'
import { memoryTables } from './memory-tables.ts'
import { ringDrawing } from './ring-drawing.ts'
import { ringTables } from './ring-tables.ts'
import { seenTable } from './seen-table.ts'
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
  readonly #tables = element('div')
  readonly #show: (address: string) => void
  readonly #memory = element('div')
  readonly #steps = element('div')

  /** @param show told the address of what is shown */
  constructor(root: HTMLElement, show: (address: string) => void) {
    this.#show = show
    const [first] = EXAMPLES
    this.#session = new Session(first!.options)
    const session = this.#session
    const change = (what: () => void) => (): void => {
      what()
      this.#draw()
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
    const stories = EXAMPLES.map((example) =>
      element(
        'li',
        {},
        button(
          example.title,
          change(() => this.#load(example)),
        ),
      ),
    )
    const next = button(
      'Next story',
      change(() => this.#load(EXAMPLES[(EXAMPLES.indexOf(this.#story()!) + 1) % EXAMPLES.length]!)),
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
        element('ol', { class: 'stories' }, ...stories, element('li', { class: 'next' }, next)),
        this.#about,
        element(
          'p',
          { class: 'soft' },
          'Step through it, by the arrow keys too; at any place, in mid-round too, let something else happen: what came after it is run again.',
        ),
      ),
      this.#transport.root,
      element(
        'div',
        { class: 'columns three' },
        element('div', { class: 'side' }, this.#controls.root),
        element('div', { class: 'wide' }, section('ring-title', 'Ring', this.#ring)),
        element('div', { class: 'beside' }, section('history-title', 'History', this.#history.root)),
        element(
          'div',
          { class: 'below' },
          section('areas-title', 'Areas', legend, this.#tables),
          section('tables-title', 'Memory', this.#memory),
          section('steps-title', 'Steps', this.#steps),
        ),
      ),
    )
    this.#load(first!)
    this.#draw()
  }

  /** Loads a story by its name in an address, and goes to its `at`-th moment. */
  open(name: string, at: number | null): void {
    const example = EXAMPLES.find(({ title }) => nameOf(title) === name)
    if (example === undefined) return
    this.#load(example)
    if (at !== null) this.#session.goTo(at)
    this.#draw()
  }

  /** The story whose machine runs, whatever was done to it. */
  #story(): Example | undefined {
    return EXAMPLES.find(({ options }) => options === this.#session.options)
  }

  #load({ options, script, at }: Example): void {
    this.#session.load(options, script)
    this.#session.goTo(this.#session.moments.findLastIndex(({ title }) => title === at))
  }

  #draw(): void {
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
    this.#ring.replaceChildren(
      element('div', { class: 'ring-and-seen' }, ringDrawing(current, previous), seenTable(moments, cursor)),
      queueLine(current),
    )
    this.#tables.replaceChildren(ringTables(current, previous))
    this.#memory.replaceChildren(memoryTables(current, previous))
    this.#steps.replaceChildren(stepTables(current))
    const example = this.#story()
    // What is no story has no address: its actions are in no page but this one.
    const what = example?.script === this.#session.script ? example.title : ''
    this.#show(addressText({ view: 'ring', what, at: cursor }))
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
  return { actor, title, note: trace === undefined || trace.mode === 'window' ? '' : trace.mode, fault: fault === true }
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
