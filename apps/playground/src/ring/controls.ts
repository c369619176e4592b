import type { AccessorPlugin } from '@vring/accessor'
import { ACCESSORS, accessorNamed } from '../machine/accessors.ts'
import type { AccessorChoice, Action, ChainShape, ConcurrentAction } from '../machine/action.ts'
import { REGIONS, type RegionName, type RingFormat } from '../machine/layout.ts'
import type { MachineOptions } from '../machine/machine.ts'
import { type Backing, MEMORY_EVENTS, type MemoryEventName } from '../machine/memory-events.ts'
import { button, element, foldable, labelledSelect } from '../page/element.ts'

/** What {@link Controls} asks for. */
export interface ControlActions {
  act(action: Action): void
  /** Begins again. */
  begin(options: MachineOptions): void
}

const SHAPES: readonly (readonly [ChainShape, string])[] = [
  ['buffer', 'Add a buffer'],
  ['chain', 'Add a chain of 3'],
  ['indirect', 'Add an indirect table'],
  ['loop', 'Add a loop (hostile)'],
]

const CONCURRENT: Readonly<
  Record<'publish' | 'take-used' | 'answer-misses' | 'translate-all' | 'iotlb-invalidate', string>
> = {
  publish: 'Publish',
  'take-used': 'Take used back',
  'answer-misses': 'Answer misses',
  'translate-all': 'Translate all',
  'iotlb-invalidate': 'Invalidate all',
}

/** Width in rem from which the controls stand in a column beside the ring. */
const COLUMNS = 64

/** Everything that can be made to happen: driver, memory, accessor. */
export class Controls {
  readonly root: HTMLElement
  readonly #actions: ControlActions
  readonly #iotlb: HTMLElement
  readonly #accessor = element('div', { class: 'fields' })
  readonly #serving = element('p', { class: 'soft' })
  #region: RegionName = 'device'
  #plugin: AccessorPlugin = ACCESSORS[0]!
  #options: Record<string, string> = {}
  #backing: Backing = 'anonymous'
  #format: RingFormat = 'split'
  /** What the machine was made of when it was shown last. */
  #shown = ''

  constructor(actions: ControlActions) {
    this.#actions = actions
    this.#iotlb = foldable('IOMMU', COLUMNS, this.#buttons(['answer-misses', 'translate-all', 'iotlb-invalidate']))
    this.root = element(
      'div',
      { class: 'controls' },
      foldable('Driver', COLUMNS, this.#driver(), this.#buttons(['publish', 'take-used'])),
      foldable('Memory management', COLUMNS, ...this.#memory()),
      this.#iotlb,
      foldable('Accessor', COLUMNS, ...this.#accessors()),
    )
  }

  /** Follows the machine where it became another one: by an example, a switch or an undo. What is chosen meanwhile stays. */
  show({ backing, ring = 'split' }: MachineOptions, serving: AccessorChoice, hasIotlb: boolean): void {
    this.#iotlb.hidden = !hasIotlb
    this.#serving.textContent = `Serves now: ${[serving.name, ...Object.values(serving.options)].join(', ')}`
    const shown = JSON.stringify([serving, backing, ring])
    if (this.#shown === shown) return
    this.#shown = shown
    this.#backing = backing
    this.#format = ring
    this.#choose(serving.name, serving.options)
  }

  #driver(): HTMLElement {
    const add = SHAPES.map(([shape, title]) => button(title, () => this.#actions.act({ kind: 'add', shape })))
    return element('div', { class: 'buttons' }, ...add)
  }

  #buttons(kinds: readonly (keyof typeof CONCURRENT)[]): HTMLElement {
    const made = kinds.map((kind) => button(CONCURRENT[kind], () => this.#actions.act({ kind } as ConcurrentAction)))
    return element('div', { class: 'buttons' }, ...made)
  }

  #memory(): HTMLElement[] {
    const regions = REGIONS.map(({ name }) => [name, name] as const)
    const events = (Object.keys(MEMORY_EVENTS) as MemoryEventName[]).map((event) =>
      button(MEMORY_EVENTS[event].title, () => this.#actions.act({ kind: 'memory', event, region: this.#region }), {
        title: MEMORY_EVENTS[event].description,
      }),
    )
    return [
      labelledSelect('Pages of', regions, this.#region, (value) => {
        this.#region = value as RegionName
      }),
      element('div', { class: 'buttons' }, ...events),
    ]
  }

  #accessors(): HTMLElement[] {
    this.#choose(this.#plugin.name, {})
    return [
      this.#serving,
      this.#accessor,
      element(
        'div',
        { class: 'buttons' },
        button('Switch, ring running', () => this.#actions.act({ kind: 'switch', accessor: this.#choice() }), {
          class: 'primary',
        }),
        button('Begin again with it', () =>
          this.#actions.begin({ accessor: this.#choice(), backing: this.#backing, ring: this.#format }),
        ),
        button('Set the ring up again', () => this.#actions.act({ kind: 'set-up' })),
      ),
    ]
  }

  #choice(): AccessorChoice {
    return { name: this.#plugin.name, options: { ...this.#options } }
  }

  /** Shows the options that the chosen accessor declares. */
  #choose(name: string, options: Readonly<Record<string, string>>): void {
    this.#plugin = accessorNamed(name)
    this.#options = { ...options }
    const names = ACCESSORS.map((plugin) => [plugin.name, plugin.name] as const)
    const focused = this.#accessor.contains(document.activeElement)
    const select = labelledSelect('Accessor', names, name, (value) => this.#choose(value, {}))
    const declared = this.#plugin.options.map((option) => {
      const values = option.values.map((value) => [value, value] as const)
      const chosen = this.#options[option.name] ?? option.default
      const field = labelledSelect(option.name, values, chosen, (value) => {
        this.#options[option.name] = value
      })
      field.title = option.description
      return field
    })
    const backings = (['anonymous', 'shared', 'file'] as const).map((kind) => [kind, kind] as const)
    const backing = labelledSelect('Guest memory, from the beginning', backings, this.#backing, (value) => {
      this.#backing = value as Backing
    })
    const formats = (['split', 'packed'] as const).map((name) => [name, name] as const)
    const format = labelledSelect('Ring, from the beginning', formats, this.#format, (value) => {
      this.#format = value as RingFormat
    })
    this.#accessor.replaceChildren(
      select,
      element('p', { class: 'soft' }, this.#plugin.description),
      ...declared,
      backing,
      format,
    )
    if (focused) select.querySelector('select')?.focus()
  }
}
