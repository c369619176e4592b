import type { Finding } from '@vring/explorer'
import { addressText, nameOf } from '../page/address.ts'
import { dataTable } from '../page/data-table.ts'
import { button, element, labelledSelect, section } from '../page/element.ts'
import { Transport } from '../page/transport.ts'
import { ExplorerClient } from './explorer-client.ts'
import type { EntryFacts, Subject } from './protocol.ts'
import { sharedVariables, stepText } from './shared-variables.ts'
import { Timeline } from './timeline.ts'

const READING =
  'One step of one thread a row, from above: “name → value” loads, “name := value” stores. 2000@1 is a mapping of address 0x2000 to frame 1. The last step goes wrong.'

/** What a memory model lets threads see. */
const MODELS: Readonly<Record<EntryFacts['memoryModel'], string>> = {
  sc: 'each step visible to all at once (sc)',
  tso: 'stores buffered as on x86 (tso)',
  weak: 'weaker than x86: loads and stores overtake one another',
}

/** What is shown first: two threads and few steps. */
const FIRST = 'M24'

/** Heading of an entry in the list. */
function groupOf(id: string): string {
  if (/^M\d/.test(id)) return 'Mistakes of the patch and of its successors'
  if (id.startsWith('fix')) return 'What the fixes of August 2019 mend'
  if (id.startsWith('space')) return 'Mistakes in an address space'
  return 'Mended by kernel commits'
}

/** The view of races: a bug of the history is put back, the explorer finds it here, and its schedule is replayed. */
export class SchedulesView {
  readonly #client = new ExplorerClient()
  readonly #facts = element('dl', { class: 'facts' })
  readonly #result = element('p', { class: 'note', role: 'status' })
  readonly #replay = element('div', { class: 'columns replay', hidden: true })
  readonly #transport: Transport
  readonly #variables = element('div')
  readonly #chooser = element('div', { class: 'fields' })
  readonly #buttons: readonly HTMLButtonElement[]
  #asked: string | null = null
  #entries: readonly EntryFacts[] = []
  #entry: EntryFacts | null = null
  #finding: Finding | null = null
  #timeline: Timeline | null = null
  #step = 0
  /** The step that an address asked for, until its schedule is found. */
  #wanted: number | null = null
  readonly #show: (address: string) => void
  /** Counts requests, so that an answer to an older request is left alone. */
  #request = 0

  /** @param show told the address of what is shown */
  constructor(root: HTMLElement, show: (address: string) => void) {
    this.#show = show
    this.#transport = new Transport('Replay', {
      first: () => this.#goTo(0),
      back: () => this.#goTo(this.#step - 1),
      step: () => this.#goTo(this.#step + 1),
      last: () => this.#goTo(Number.POSITIVE_INFINITY),
    })
    this.#transport.root.hidden = true
    this.#buttons = [
      button('Find the shortest schedule', () => void this.#explore('faulty'), { class: 'primary', disabled: true }),
      button('Explore what ships', () => void this.#explore('shipped'), { disabled: true }),
    ]
    root.append(
      element('h2', { class: 'spoken' }, 'Schedules'),
      section(
        'entry-title',
        'A bug of the history',
        element(
          'p',
          { class: 'soft' },
          'Each is put back into the code that ships. The explorer runs every interleaving of its threads and shows the shortest that goes wrong; the repaired code is run to the end.',
        ),
        this.#chooser,
        this.#facts,
        element('div', { class: 'buttons' }, ...this.#buttons),
        this.#result,
      ),
      this.#transport.root,
      this.#replay,
    )
    void this.#list()
  }

  async #list(): Promise<void> {
    this.#say('Loading the explorer.')
    try {
      this.#entries = await this.#client.list()
    } catch (error) {
      this.#say(`The explorer failed: ${messageOf(error)}`)
      return
    }
    const names = this.#entries.map(({ id, title }) => [id, `${id}: ${title}`] as const)
    this.#chooser.append(labelledSelect('Entry', names, FIRST, (id) => this.#choose(id), groupOf))
    for (const one of this.#buttons) one.disabled = false
    this.open(this.#asked ?? FIRST, this.#wanted)
  }

  /** Finds the schedule of an entry, by its id or the name of it in an address, and goes to its `at`-th step. */
  open(name: string, at: number | null): void {
    this.#wanted = at
    this.#asked = name
    if (this.#entries.length === 0) return
    const id = this.#entries.find((entry) => nameOf(entry.id) === nameOf(name))?.id ?? FIRST
    const select = this.#chooser.querySelector('select')
    if (select !== null) select.value = id
    this.#choose(id)
    void this.#explore('faulty')
  }

  #choose(id: string): void {
    const entry = this.#entries.find((candidate) => candidate.id === id)!
    this.#entry = entry
    this.#request++
    this.#clear()
    const facts: readonly (readonly [string, string])[] = [
      ['what happens', entry.description],
      ['told of in', entry.source],
      ['put back as', entry.variant],
      ['expected', `${entry.expected}, ${MODELS[entry.memoryModel]}`],
      ['ships as', entry.repairedBy],
    ]
    this.#facts.replaceChildren(...facts.flatMap(([name, text]) => [element('dt', {}, name), element('dd', {}, text)]))
    this.#say('Not explored yet.')
  }

  async #explore(subject: Subject): Promise<void> {
    const entry = this.#entry!
    const request = ++this.#request
    this.#clear()
    this.#say(`Exploring ${entry.id}…`)
    try {
      const { exploration, ms } = await this.#client.explore(entry.id, subject)
      if (request !== this.#request) return
      const { finding, states, steps, schedules } = exploration
      const work = `${steps} steps over ${states} states in ${Math.round(ms)} ms`
      if (finding === null) {
        this.#say(
          `${entry.repairedBy}: no finding in ${formatCount(schedules)} schedules; ${work}. That is all of them.`,
        )
        return
      }
      this.#say(`${finding.kind} after ${finding.schedule.length} steps: ${finding.message}; ${work}.`)
      this.#showFinding(finding)
    } catch (error) {
      this.#say(`The explorer failed: ${messageOf(error)}`)
    }
  }

  #clear(): void {
    this.#finding = null
    this.#replay.hidden = true
    this.#transport.root.hidden = true
  }

  #showFinding(finding: Finding): void {
    this.#finding = finding
    this.#timeline = new Timeline(finding)
    this.#replay.replaceChildren(
      element(
        'div',
        { class: 'wide' },
        section('timeline-title', 'Timeline', element('p', { class: 'soft' }, READING), this.#timeline.root),
      ),
      element('div', { class: 'side' }, section('variables-title', 'Shared variables', this.#variables)),
    )
    this.#replay.hidden = false
    this.#transport.root.hidden = false
    // At what went wrong: from there one walks back to the cause, or to the beginning.
    this.#goTo(this.#wanted ?? Number.POSITIVE_INFINITY)
    this.#wanted = null
  }

  #goTo(step: number): void {
    const finding = this.#finding!
    const { schedule, threads } = finding
    this.#step = Math.max(0, Math.min(schedule.length, step))
    const at = schedule[this.#step - 1]
    const last = this.#step === schedule.length
    const place =
      at === undefined
        ? `before step 1 of ${schedule.length}`
        : `step ${this.#step} of ${schedule.length}, ${threads[at.thread]}`
    const title = at === undefined ? 'no thread has run yet' : stepText(at)
    this.#transport.show(place, title, last ? `${finding.kind}: ${finding.message}` : '', [], last)
    this.#transport.enable({ back: this.#step > 0, step: !last, last: !last })
    this.#timeline!.mark(this.#step)
    this.#show(addressText({ view: 'schedules', what: this.#entry!.id, at: this.#step }))
    const rows = sharedVariables(finding, this.#step).map(({ name, value, thread, stored, now }) => [
      name,
      { text: value, mark: now ? (stored ? ('written' as const) : ('read' as const)) : undefined },
      thread,
    ])
    this.#variables.replaceChildren(
      dataTable('As loaded or stored last', ['variable', 'value', 'by'], rows, 'none touched yet'),
    )
  }

  #say(text: string): void {
    this.#result.textContent = text
  }
}

/** Counts too long to read digit by digit are given in powers of ten. */
function formatCount(count: number): string {
  return count < 1e9 ? count.toLocaleString('en') : count.toExponential(1).replace('e+', ' · 10^')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
