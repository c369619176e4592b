import { mutantsOf, type RingMutant } from './ring-mutant.ts'

/** Mutants of `packed-publisher.ts`. */
export const packedPublisherMutants: readonly RingMutant[] = mutantsOf('packed/packed-publisher.ts', [
  {
    name: 'packed write barrier, lease',
    flaw: 'flags may be visible before lengths',
    edits: [['if (count > 1) cpu.wmb()', '']],
    killedBy: 'packed > by lease > lengths of chains that were written are stored before flags',
    kitCase: 'what publishes used chains is the last store, with release, and the only one that is ordered',
  },
  {
    name: 'packed write barrier, windows',
    flaw: 'flags may be visible before lengths',
    edits: [['if (written && count > 1) this.cpu.wmb()', '']],
    killedBy: 'packed > by windows > lengths of chains that were written are stored before flags',
    kitCase: 'what publishes used chains is the last store, with release, and the only one that is ordered',
  },
  {
    name: 'packed release, lease',
    flaw: 'the first flags are stored without release',
    edits: [['cpu.store16Release(desc16, first', 'cpu.store16(desc16, first']],
    killedBy: 'packed > by lease > what publishes used chains is a release, after all that it publishes',
    kitCase: 'what publishes used chains is the last store, with release, and the only one that is ordered',
  },
  {
    name: 'packed release, windows',
    flaw: 'the first flags are stored without release',
    edits: [['return desc.store16Release(', 'return desc.store16(']],
    killedBy: 'packed > by windows > what publishes used chains is a release, after all that it publishes',
    kitCase: 'what publishes used chains is the last store, with release, and the only one that is ordered',
  },
  {
    name: 'packed first flags first, lease',
    flaw: 'the first flags are stored before those of the others',
    edits: [
      ['    this.storeOthers(lease, elements, from, count)\n', ''],
      [
        '    cpu.store16Release(desc16, first + (PACKED_DESC_FLAGS_OFFSET >>> 1), flags)\n',
        '    cpu.store16Release(desc16, first + (PACKED_DESC_FLAGS_OFFSET >>> 1), flags)\n    this.storeOthers(lease, elements, from, count)\n',
      ],
    ],
    killedBy: 'packed > by lease > what publishes used chains is a release, after all that it publishes',
    kitCase: 'what publishes used chains is the last store, with release, and the only one that is ordered',
  },
  {
    name: 'packed first flags first, windows',
    flaw: 'the first flags are stored before those of the others',
    edits: [
      [
        '    slot = this.slot + slots[from]!\n    let wrap = this.wrap\n    for (let i = from + 1; i < end && status === 0; i++) {',
        '    desc.store16Release(PACKED_DESC_BYTES * this.slot + PACKED_DESC_FLAGS_OFFSET, usedFlags(this.wrap) | (elements[2 * from + 1] === 0 ? 0 : VIRTQ_DESC_F_WRITE))\n    slot = this.slot + slots[from]!\n    let wrap = this.wrap\n    for (let i = from + 1; i < end && status === 0; i++) {',
      ],
      [
        '    return desc.store16Release(PACKED_DESC_BYTES * this.slot + PACKED_DESC_FLAGS_OFFSET, first)',
        '    return 0',
      ],
    ],
    killedBy: 'packed > by windows > what publishes used chains is a release, after all that it publishes',
    kitCase: 'what publishes used chains is the last store, with release, and the only one that is ordered',
  },
  {
    name: 'packed lengths, lease',
    flaw: 'lengths are not stored',
    edits: [['      this.storeLengths(lease, elements, from, count)\n', '']],
    killedBy: 'packed > by lease > lengths of chains that were written are stored before flags',
    kitCase: 'what publishes used chains is the last store, with release, and the only one that is ordered',
  },
  {
    name: 'packed lengths, windows',
    flaw: 'lengths are not stored',
    edits: [['written && i < end', 'false && i < end']],
    killedBy: 'packed > by windows > lengths of chains that were written are stored before flags',
    kitCase: 'what publishes used chains is the last store, with release, and the only one that is ordered',
  },
  {
    name: 'packed used wrap, lease',
    flaw: 'used descriptors of the next lap have the wrap counter of this one',
    edits: [['        used = usedFlags(this.wrap ^ 1)\n', '']],
    killedBy: 'a hold of a packed ring > touches the lease and nothing else, and what it gave is not touched after it',
    kitCase: 'a ring reaches its memory by windows, or inside a hold and then by the lease alone',
  },
  {
    name: 'packed used wrap, windows',
    flaw: 'used descriptors of the next lap have the wrap counter of this one',
    edits: [
      [
        '        slot -= queueSize\n        wrap ^= 1\n      }\n      const flags = usedFlags(wrap) | (elements[2 * i + 1] === 0 ? 0 : VIRTQ_DESC_F_WRITE)\n      status',
        '        slot -= queueSize\n      }\n      const flags = usedFlags(wrap) | (elements[2 * i + 1] === 0 ? 0 : VIRTQ_DESC_F_WRITE)\n      status',
      ],
    ],
    killedBy:
      'a packed ring by windows > chains and batches go over the end of the ring, are given back over it, and are used over it',
    kitCase: 'a ring reaches its memory by windows, or inside a hold and then by the lease alone',
  },
  {
    name: 'packed fault among the flags',
    flaw: 'the first flags are stored although others were not',
    edits: [['    if (status < 0) return status\n    const first', '    const first']],
    killedBy: 'packed > by windows > nothing is published when a part of the flags can not be stored',
    kitCase: 'nothing is published where a part of it can not be stored',
  },
  {
    name: 'packed log of descriptors',
    flaw: 'used descriptors up to the end of the ring are not in the migration log',
    edits: [["    log.write('desc', PACKED_DESC_BYTES * this.slot, PACKED_DESC_BYTES * toEnd)\n", '']],
    killedBy: 'a packed ring by windows > every write of the ring is in the migration log, found by area',
    kitCase: 'each byte that a ring changes is in the migration log, after it was stored and outside of every hold',
  },
  {
    name: 'packed log wrap',
    flaw: 'descriptors at the start of the ring are not in the migration log',
    edits: [["    if (toEnd < entries) log.write('desc', 0, PACKED_DESC_BYTES * (entries - toEnd))\n", '']],
    killedBy: 'a packed ring by windows > every write of the ring is in the migration log, found by area',
    kitCase: 'each byte that a ring changes is in the migration log, after it was stored and outside of every hold',
  },
])
