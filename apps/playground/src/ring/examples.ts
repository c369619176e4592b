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

const packed = (name: string): MachineOptions => ({ ...using(name), ring: 'packed' })

/** Three packets, which come back. */
const three: readonly Action[] = [
  ...Array.from({ length: 3 }, (): Action => ({ kind: 'add', shape: 'buffer' })),
  { kind: 'publish' },
  ROUND,
  { kind: 'take-used' },
]

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
    title: 'One packet, packed ring',
    about:
      'There is one area in place of three: the driver has written a descriptor and then its flags, AVAIL as its wrap counter and USED the other way round. The device loads the flags, then the rest, and writes the used descriptor over the available one.',
    options: packed('copy-checked'),
    script: [...packet, ROUND],
    at: 'begins a round',
  },
  {
    title: 'A packed ring wraps',
    about:
      'Nine packets through eight slots: after slot 7 both sides go on at slot 0, and each turns its wrap counter. What is left there from the lap before is neither available nor used, as its flags are those of the other wrap counter.',
    options: packed('vmap-direct'),
    script: [...three, ...three, ...three],
    at: 'takes 3 used chains back',
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
