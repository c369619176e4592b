import { type Action, ROUND } from '../machine/action.ts'
import type { MachineOptions } from '../machine/machine.ts'

/** A history that shows something, and the place in it to begin with. */
export interface Example {
  readonly title: string
  /** What is to be seen, and why. */
  readonly about: string
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
    about:
      'The driver has published a buffer. The device loads avail.idx, the ring’s entry and the descriptor, copies the payload and stores a used element: each access between stac and clac, the loads after an lfence. So vhost does it to this day.',
    options: using('copy-checked'),
    script: [...packet, ROUND],
    at: 'begins a round',
  },
  {
    title: 'Migration in mid-round',
    about:
      'The descriptor was read through a direct mapping, without stac or lfence. Now the kernel moves the page of the used ring: the mapping goes before the page does, the stores of this round fall back to copies, and the next round maps again.',
    options: using('vmap-direct'),
    script: [
      ...packet,
      // After the descriptor's load: the store of the used element falls back, the next round maps again.
      { kind: 'round', injections: [{ after: 4, action: { kind: 'memory', event: 'migrate', region: 'device' } }] },
      ...packet,
      ROUND,
    ],
    at: 'loads desc[0]',
  },
  {
    title: 'Deaf to the notifier',
    about:
      'The same mapping, but the device is not told that the page of the avail ring has moved. The next round reads a frame that was freed: here no index, and the queue breaks; in a kernel it would be another process’s page by then. This is why the patch needs the MMU notifier.',
    options: using('vmap-direct-deaf'),
    script: [...packet, ROUND, { kind: 'memory', event: 'migrate', region: 'driver' }, ROUND],
    at: 'Migrate: driver',
  },
  {
    title: 'Copy-on-write after a fork',
    about:
      'A fork write-protects the pages of the ring, and the notifier takes the device’s mappings away. The first write to each page copies it, which the notifier tells too; the next round maps the copies.',
    options: using('vmap-direct'),
    script: [...packet, ROUND, { kind: 'memory', event: 'fork', region: 'device' }, ...packet, ROUND],
    at: 'Fork',
  },
  {
    title: 'A missing translation',
    about:
      'The ring’s addresses are IOVAs, and the device IOTLB is empty. The prefetch asks, the round ends before it has touched anything, and begins again when the translation is there.',
    options: using('iotlb-translated'),
    script: [...packet, ROUND, { kind: 'translate-all' }, ROUND],
    at: 'begins a round: a translation is missing',
  },
  {
    title: 'A hostile chain',
    about:
      'A descriptor that names itself as its next. The device follows as many descriptors as the ring has, then calls the queue broken, and touches it no more until it is set up again.',
    options: using('nospec-masked'),
    script: [{ kind: 'add', shape: 'loop' }, { kind: 'publish' }, ROUND],
    at: 'adds chain 0',
  },
]
