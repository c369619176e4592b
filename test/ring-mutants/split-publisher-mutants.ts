import { mutantsOf, type RingMutant } from './ring-mutant.ts'

/** Mutants of `split-publisher.ts`. */
export const splitPublisherMutants: readonly RingMutant[] = mutantsOf('split/split-publisher.ts', [
  {
    name: 'split release, lease',
    flaw: 'used.idx is stored without release',
    edits: [['cpu.store16Release(lease.device16,', 'cpu.store16(lease.device16,']],
    killedBy: 'split > by lease > what publishes used chains is a release, after all that it publishes',
    kitCase: 'what publishes used chains is the last store, with release, and the only one that is ordered',
  },
  {
    name: 'split release, windows',
    flaw: 'used.idx is stored without release',
    edits: [['device.store16Release(USED_IDX_OFFSET, usedIdx)', 'device.store16(USED_IDX_OFFSET, usedIdx)']],
    killedBy: 'split > by windows > what publishes used chains is a release, after all that it publishes',
    kitCase: 'what publishes used chains is the last store, with release, and the only one that is ordered',
  },
  {
    name: 'split index first, lease',
    flaw: 'used.idx is stored before the elements',
    edits: [
      [
        '    cpu.storeWords(lease.device32, ring + 2 * slot, elements, at, 2 * first)\n',
        '    cpu.store16Release(lease.device16, lease.deviceHalf + (USED_IDX_OFFSET >>> 1), usedIdx)\n    cpu.storeWords(lease.device32, ring + 2 * slot, elements, at, 2 * first)\n',
      ],
      [
        '    cpu.store16Release(lease.device16, lease.deviceHalf + (USED_IDX_OFFSET >>> 1), usedIdx)\n    lease.release(',
        '    lease.release(',
      ],
    ],
    killedBy: 'split > by lease > what publishes used chains is a release, after all that it publishes',
    kitCase: 'what publishes used chains is the last store, with release, and the only one that is ordered',
  },
  {
    name: 'split index first, windows',
    flaw: 'used.idx is stored before the elements',
    edits: [
      [
        '    let status = device.storeWords(',
        '    device.store16Release(USED_IDX_OFFSET, usedIdx)\n    let status = device.storeWords(',
      ],
      ['return status < 0 ? status : device.store16Release(USED_IDX_OFFSET, usedIdx)', 'return status'],
    ],
    killedBy: 'split > by windows > what publishes used chains is a release, after all that it publishes',
    kitCase: 'what publishes used chains is the last store, with release, and the only one that is ordered',
  },
  {
    name: 'split used wrap, lease',
    flaw: 'elements are stored past the end of the used ring',
    edits: [
      [
        'elements, at, 2 * first)\n    if (first < stored) cpu.storeWords(lease.device32, ring, elements, at + 2 * first, 2 * (stored - first))',
        'elements, at, 2 * stored)',
      ],
    ],
    killedBy: 'a split ring by lease > used ring > virtio 1.3 2.7.8.2 elements come before the index, wrap included',
    kitCase: 'each byte that a ring changes is in the migration log, after it was stored and outside of every hold',
  },
  {
    name: 'split used wrap, windows',
    flaw: 'elements past the end of the used ring are left out',
    edits: [
      [
        '    if (status === 0 && first < stored)\n      status = device.storeWords(USED_RING_OFFSET, elements, at + 2 * first, 2 * (stored - first))\n',
        '',
      ],
    ],
    killedBy: 'a split ring by windows > used ring > virtio 1.3 2.7.8.2 elements come before the index, wrap included',
    kitCase: 'rings of both formats carry chains of every kind, lap after lap, while pages move',
  },
  {
    name: 'split publish fault',
    flaw: 'used.idx is stored although the elements were not',
    edits: [['return status < 0 ? status : device', 'return device']],
    killedBy: 'split > by windows > nothing is published when a part of the elements can not be stored',
    kitCase: 'nothing is published where a part of it can not be stored',
  },
  {
    name: 'split log of elements',
    flaw: 'published elements are not in the migration log',
    edits: [["    log.write('device', USED_RING_OFFSET + USED_ELEM_BYTES * slot, USED_ELEM_BYTES * first)\n", '']],
    killedBy:
      'a split ring by windows > used ring > every write of the ring is in the migration log: elements, index, flags',
    kitCase: 'each byte that a ring changes is in the migration log, after it was stored and outside of every hold',
  },
  {
    name: 'split log over the end',
    flaw: 'elements at the start of the used ring are not in the migration log',
    edits: [
      ["    if (first < stored) log.write('device', USED_RING_OFFSET, USED_ELEM_BYTES * (stored - first))\n", ''],
    ],
    killedBy:
      'a split ring by windows > used ring > elements over the end of the ring are two pieces in the migration log',
    kitCase: 'each byte that a ring changes is in the migration log, after it was stored and outside of every hold',
  },
  {
    name: 'split log of the index',
    flaw: 'used.idx is not in the migration log',
    edits: [["    log.write('device', USED_IDX_OFFSET, 2)\n", '']],
    killedBy:
      'a split ring by windows > used ring > every write of the ring is in the migration log: elements, index, flags',
    kitCase: 'each byte that a ring changes is in the migration log, after it was stored and outside of every hold',
  },
  {
    name: 'split publish after the hold',
    flaw: 'used.idx is stored after the hold has ended',
    edits: [
      [
        '    cpu.store16Release(lease.device16, lease.deviceHalf + (USED_IDX_OFFSET >>> 1), usedIdx)\n    lease.release(0, 0, first < stored ? 3 : 2)\n',
        '    lease.release(0, 0, first < stored ? 3 : 2)\n    cpu.store16Release(lease.device16, lease.deviceHalf + (USED_IDX_OFFSET >>> 1), usedIdx)\n',
      ],
    ],
    killedBy: 'a hold of a split ring > touches the lease and nothing else, and what it gave is not touched after it',
    kitCase: 'a ring reaches its memory by windows, or inside a hold and then by the lease alone',
  },
])
