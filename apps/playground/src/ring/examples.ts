import { type Action, ROUND } from '../machine/action.ts'
import type { MachineOptions } from '../machine/machine.ts'

/** A history that shows something, and the place in it to begin with. */
export interface Example {
  readonly title: string
  readonly options: MachineOptions
  readonly script: readonly Action[]
  /** Title of the moment to begin with: its last occurrence. */
  readonly at: string
}

const packet: readonly Action[] = [{ kind: 'add', shape: 'buffer' }, { kind: 'publish' }]

const using = (name: string, options: Readonly<Record<string, string>> = {}): MachineOptions => ({
  accessor: { name, options },
  backing: 'anonymous',
})

/** What to look at first. */
export const EXAMPLES: readonly Example[] = [
  {
    title: 'One packet, by copies',
    options: using('copy-checked'),
    script: [...packet, ROUND],
    at: 'begins a round',
  },
  {
    title: 'Migration in mid-round',
    options: using('vmap-direct'),
    script: [
      ...packet,
      // Behind the descriptor's load: the store of the used element falls back, the next round maps again.
      { kind: 'round', injections: [{ after: 4, action: { kind: 'memory', event: 'migrate', region: 'used' } }] },
      ...packet,
      ROUND,
    ],
    at: 'loads desc[0]',
  },
  {
    title: 'Deaf to the notifier',
    options: using('vmap-direct-deaf'),
    script: [...packet, ROUND, { kind: 'memory', event: 'migrate', region: 'avail' }, ROUND],
    at: 'Migrate: avail',
  },
  {
    title: 'Copy-on-write after a fork',
    options: using('vmap-direct'),
    script: [...packet, ROUND, { kind: 'memory', event: 'fork', region: 'used' }, ...packet, ROUND],
    at: 'Fork',
  },
  {
    title: 'A missing translation',
    options: using('iotlb-translated'),
    script: [...packet, ROUND, { kind: 'translate-all' }, ROUND],
    at: 'begins a round: a translation is missing',
  },
  {
    title: 'A hostile chain',
    options: using('nospec-masked'),
    script: [{ kind: 'add', shape: 'loop' }, { kind: 'publish' }, ROUND],
    at: 'adds chain 0',
  },
]
