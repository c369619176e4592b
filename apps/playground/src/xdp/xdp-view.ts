import { readObject } from '@vring/ebpf'
import { XDP_TYPE } from '@vring/xdp'
import { element, foldable, labelledSelect, section } from '../page/element.ts'
import { HistoryList } from '../page/history-list.ts'
import { Transport } from '../page/transport.ts'
import { CodeListing } from './code-listing.ts'
import { FRAMES } from './frames.ts'
import { type ExampleProgram, PROGRAMS } from './programs.ts'
import { mapTable, packetTable, registerTable, stackTable, verdictLine } from './state-tables.ts'
import { MOMENTS_MAX, type XdpMoment, XdpSession } from './xdp-session.ts'

const MARKS = [
  ['read', 'just read'],
  ['written', 'just written'],
  ['changed', 'changed otherwise'],
] as const

/** The view of one XDP program on one frame: its instructions, and all that they work on, one at a time. */
export class XdpView {
  readonly #transport: Transport
  readonly #history: HistoryList
  readonly #about = element('p', { class: 'soft' })
  readonly #message = element('p', { class: 'note wrong', role: 'status', hidden: true })
  readonly #ownPrograms = element('div', { class: 'fields' })
  readonly #code = element('div')
  readonly #state = element('div', { class: 'step-tables' })
  readonly #registers = element('div', { class: 'registers' })
  #program: ExampleProgram = PROGRAMS[0]!
  #frame = FRAMES[0]!
  #session: XdpSession | null = null
  #listing: CodeListing | null = null

  constructor(root: HTMLElement) {
    const goTo = (to: (session: XdpSession) => number) => (): void => {
      if (this.#session === null) return
      this.#session.goTo(to(this.#session))
      this.#show()
    }
    this.#transport = new Transport('Run', {
      first: goTo(() => 0),
      back: goTo(({ cursor }) => cursor - 1),
      step: goTo(({ cursor }) => cursor + 1),
      last: goTo(({ moments }) => moments.length - 1),
    })
    this.#history = new HistoryList('Every instruction of the run', (index) => goTo(() => index)())
    const programs = PROGRAMS.map(({ id, title }) => [id, title] as const)
    const frames = FRAMES.map(({ id, title }) => [id, title] as const)
    const file = element('input', { type: 'file', id: 'xdp-object', accept: '.o' })
    file.addEventListener('change', () => void this.#open(file.files?.[0]))
    const legend = element(
      'p',
      { class: 'soft legend' },
      ...MARKS.flatMap(([mark, meaning]) => [element('span', { class: `mark ${mark}` }, meaning), ' ']),
    )
    root.append(
      element('h2', { class: 'spoken' }, 'XDP program'),
      foldable(
        'Program and frame',
        40,
        element(
          'div',
          { class: 'fields' },
          labelledSelect('Program', programs, this.#program.id, (id) => {
            this.#ownPrograms.replaceChildren()
            file.value = ''
            this.#run(PROGRAMS.find((one) => one.id === id)!)
          }),
          labelledSelect('Frame', frames, this.#frame.id, (id) => {
            this.#frame = FRAMES.find((one) => one.id === id)!
            this.#run(this.#program)
          }),
          element(
            'div',
            { class: 'field' },
            element('label', { for: 'xdp-object' }, 'Or an object of your own (clang -target bpf -O2 -g)'),
            file,
          ),
        ),
        this.#ownPrograms,
        this.#about,
      ),
      this.#message,
      this.#transport.root,
      element(
        'div',
        { class: 'columns program' },
        element(
          'div',
          { class: 'side' },
          section('code-title', 'Code', this.#code),
          section('run-title', 'Run', this.#history.root),
        ),
        element(
          'div',
          { class: 'wide' },
          section('registers-title', 'Registers', legend, this.#registers),
          section('bytes-title', 'Frame, stack and maps', this.#state),
        ),
      ),
    )
    this.#run(this.#program)
  }

  /** Reads an object that the user chose; it stays in the page. */
  async #open(file: File | undefined): Promise<void> {
    if (file === undefined) return
    try {
      const object = new Uint8Array(await file.arrayBuffer())
      const names = readObject(object)
        .programs.filter(({ section }) => XDP_TYPE.ownsSection(section))
        .map(({ name }) => name)
      const [first] = names
      const choose = (program: string): void =>
        this.#run({ id: file.name, title: file.name, about: `${program} of ${file.name}.`, object, program })
      const titles = names.map((name) => [name, name] as const)
      this.#ownPrograms.replaceChildren(
        ...(names.length > 1 ? [labelledSelect(`Program of ${file.name}`, titles, first!, choose)] : []),
      )
      if (first === undefined) this.#refuse(`${file.name} has no XDP program`)
      else choose(first)
    } catch (error) {
      this.#refuse(`${file.name}: ${messageOf(error)}`)
    }
  }

  #run(program: ExampleProgram): void {
    this.#program = program
    this.#about.textContent = program.about
    try {
      this.#session = new XdpSession(program.object, program.program, this.#frame.bytes)
      this.#message.hidden = true
    } catch (error) {
      this.#refuse(messageOf(error))
      return
    }
    this.#listing = new CodeListing(this.#session.stepper)
    this.#code.replaceChildren(this.#listing.root)
    this.#show()
  }

  /** Says why there is nothing to step; what was there before stays. */
  #refuse(why: string): void {
    this.#message.textContent = `Refused: ${why}`
    this.#message.hidden = false
  }

  #show(): void {
    const session = this.#session!
    const { current, previous, moments, cursor, isCut } = session
    const last = cursor === moments.length - 1
    const cut = last && isCut ? ` The run is longer: ${MOMENTS_MAX} instructions are kept.` : ''
    this.#transport.show(placeOf(session), titleOf(current), detailOf(current) + cut, [], false)
    this.#transport.enable({ back: cursor > 0, step: !last, last: !last })
    this.#listing!.mark(current.next?.slot ?? -1)
    this.#registers.replaceChildren(registerTable(current, previous), verdictLine(current))
    this.#state.replaceChildren(
      packetTable(current, previous),
      stackTable(current, previous),
      mapTable(current, previous),
    )
    this.#history.show(moments, lineOf, cursor)
  }
}

function placeOf({ cursor, moments, current }: XdpSession): string {
  const frame = current.depth > 1 ? `, frame ${current.depth} of the call chain` : ''
  return cursor === 0 ? `before instruction 1 of ${moments.length - 1}` : `${cursor} of ${moments.length - 1}${frame}`
}

function titleOf({ executed, verdict }: XdpMoment): string {
  if (executed === null) return 'the frame is there, r1 is the context'
  return verdict === null ? executed.text : `${executed.text}: ${verdict}`
}

function detailOf({ next, executed }: XdpMoment): string {
  const line = executed?.source
  const from = line === undefined || line.line === 0 ? '' : `Line ${line.line}: ${line.text.trim()} `
  return next === null ? `${from}The run has ended.` : `${from}Next: ${next.text}`
}

function lineOf({ executed, verdict }: XdpMoment) {
  const actor = executed === null ? 'frame' : `slot ${executed.slot}`
  return { actor, title: executed?.text ?? 'arrives', note: verdict ?? '', fault: false }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
