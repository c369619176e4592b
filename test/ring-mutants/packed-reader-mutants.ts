import { mutantsOf, type RingMutant } from './ring-mutant.ts'

/** Mutants of `packed-reader.ts`. */
export const packedReaderMutants: readonly RingMutant[] = mutantsOf('packed/packed-reader.ts', [
  {
    name: 'packed read barrier, lease',
    flaw: 'no read barrier stands after the flags',
    edits: [['    this.cpu.rmb()\n', '']],
    killedBy:
      'packed > by lease > what makes chains available is loaded before the chains, with acquire or a read barrier, and nothing else is ordered',
    kitCase:
      'what makes chains available is loaded first, with acquire or a read barrier; the rest follows, unordered and once',
  },
  {
    name: 'packed acquire, windows',
    flaw: 'flags are loaded without acquire',
    edits: [['const flags = desc.load16Acquire(', 'const flags = desc.load16(']],
    killedBy:
      'packed > by windows > what makes chains available is loaded before the chains, with acquire or a read barrier, and nothing else is ordered',
    kitCase:
      'what makes chains available is loaded first, with acquire or a read barrier; the rest follows, unordered and once',
  },
  {
    name: 'packed flags last, lease',
    flaw: 'the length of the first descriptor is loaded before the flags',
    edits: [
      [
        '    const available = this.countSingles',
        '    this.cpu.load32(lease.desc32, lease.descWord + DESC_WORDS * this.slot + (PACKED_DESC_LEN_OFFSET >>> 2))\n    const available = this.countSingles',
      ],
    ],
    killedBy:
      'packed > by lease > what makes chains available is loaded before the chains, with acquire or a read barrier, and nothing else is ordered',
    kitCase:
      'what makes chains available is loaded first, with acquire or a read barrier; the rest follows, unordered and once',
  },
  {
    name: 'packed wrap, lease',
    flaw: 'a descriptor of any lap is available',
    edits: [
      ['(flags & (POSITION_FLAGS | SINGLE_FLAGS)) !== wanted', '(flags & SINGLE_FLAGS) !== (wanted & SINGLE_FLAGS)'],
    ],
    killedBy:
      'a packed ring by lease > virtio 1.3 2.8.1 a descriptor is available when AVAIL is the wrap counter and USED its inverse',
    kitCase:
      'VirtIO 1.3 2.8.1, 2.8.6, 2.8.7: which packed descriptor is available, whose id counts, which flags of a table do',
  },
  {
    name: 'packed USED bit, lease',
    flaw: 'only AVAIL is compared',
    edits: [
      [
        '(flags & (POSITION_FLAGS | SINGLE_FLAGS)) !== wanted',
        '(flags & (VIRTQ_DESC_F_AVAIL | SINGLE_FLAGS)) !== (wanted & ~VIRTQ_DESC_F_USED)',
      ],
    ],
    killedBy:
      'a packed ring by lease > virtio 1.3 2.8.1 a descriptor is available when AVAIL is the wrap counter and USED its inverse',
    kitCase:
      'VirtIO 1.3 2.8.1, 2.8.6, 2.8.7: which packed descriptor is available, whose id counts, which flags of a table do',
  },
  {
    name: 'packed kind, lease',
    flaw: 'a chain of several descriptors is taken for one buffer',
    edits: [
      [
        '(flags & (POSITION_FLAGS | SINGLE_FLAGS)) !== wanted',
        '(flags & POSITION_FLAGS) !== (wanted & POSITION_FLAGS)',
      ],
    ],
    killedBy: 'a packed ring by lease > INDIRECT with NEXT breaks the queue and nothing else',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
  {
    name: 'packed empty buffer, lease',
    flaw: 'a buffer of no bytes becomes a segment',
    edits: [['if (bytes === 0 || !cpu', 'if (!cpu']],
    killedBy: 'packed > by lease > a chain after 0 others is met as it is, whichever loop meets it',
    kitCase: 'descriptors of no bytes leave no segment, whatever stands around them',
  },
  {
    name: 'packed id bound, lease',
    flaw: 'an id is not compared with the queue size',
    edits: [['if (bytes === 0 || !cpu.predict(id < queueSize)) break', 'if (bytes === 0) break']],
    killedBy: 'a packed ring by lease > an id out of range breaks the queue and nothing else',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'packed length twice, lease',
    flaw: 'the length is fetched again after it was checked',
    edits: [
      [
        '      batch.length[chain] = bytes\n',
        '      batch.length[chain] = cpu.load32(desc32, word + (PACKED_DESC_LEN_OFFSET >>> 2))\n',
      ],
    ],
    killedBy:
      'packed > by lease > a driver that changes every word once it was loaded changes nothing: each is used from one fetch',
    kitCase:
      'what makes chains available is loaded first, with acquire or a read barrier; the rest follows, unordered and once',
  },
  {
    name: 'packed id twice, lease',
    flaw: 'the id is fetched again after it was checked',
    edits: [
      [
        '      batch.used[2 * chain] = id\n',
        '      batch.used[2 * chain] = cpu.load16(desc16, half + (PACKED_DESC_ID_OFFSET >>> 1))\n',
      ],
    ],
    killedBy:
      'packed > by lease > a driver that changes every word once it was loaded changes nothing: each is used from one fetch',
    kitCase:
      'what makes chains available is loaded first, with acquire or a read barrier; the rest follows, unordered and once',
  },
  {
    name: 'packed wrap counter, lease',
    flaw: 'the wrap counter stays in the second lap',
    edits: [['      this.slot = 0\n      this.wrap ^= 1\n', '      this.slot = 0\n']],
    killedBy: 'a hold of a packed ring > touches the lease and nothing else, and what it gave is not touched after it',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
  {
    name: 'packed flags of the next lap, lease',
    flaw: 'flags are compared with those of the first lap',
    edits: [['const wanted = availFlags(this.wrap) | kind', 'const wanted = availFlags(1) | kind']],
    killedBy: 'a hold of a packed ring > touches the lease and nothing else, and what it gave is not touched after it',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
  {
    name: 'packed empty after a chain, lease',
    flaw: 'a descriptor after one that is no buffer ends the pop',
    edits: [['    if (read < available) this.empty = false\n', '']],
    killedBy: 'packed > by lease > a chain after 0 others is met as it is, whichever loop meets it',
    kitCase: 'descriptors of no bytes leave no segment, whatever stands around them',
  },
  {
    name: 'packed fault, windows',
    flaw: 'flags that can not be loaded are used',
    edits: [["if (flags < 0) {\n        status = this.refuse('metadata-fault', flags)\n        break\n      }", '']],
    killedBy: 'packed > by windows > popBatch breaks the queue when its memory is gone',
    kitCase: 'what lies on a page that is gone ends the batch before its chain, whatever part of it that is',
  },
  {
    name: 'packed wrap, windows',
    flaw: 'a descriptor of any lap is available',
    edits: [['if ((flags & POSITION_FLAGS) !== availFlags(this.wrap)) {', 'if (false as boolean) {']],
    killedBy:
      'a packed ring by windows > virtio 1.3 2.8.1 a descriptor is available when AVAIL is the wrap counter and USED its inverse',
    kitCase: 'descriptors of no bytes leave no segment, whatever stands around them',
  },
  {
    name: 'packed USED bit, windows',
    flaw: 'only AVAIL is compared',
    edits: [
      [
        'if ((flags & POSITION_FLAGS) !== availFlags(this.wrap)) {',
        'if ((flags & VIRTQ_DESC_F_AVAIL) !== (availFlags(this.wrap) & VIRTQ_DESC_F_AVAIL)) {',
      ],
    ],
    killedBy:
      'a packed ring by windows > virtio 1.3 2.8.1 a descriptor is available when AVAIL is the wrap counter and USED its inverse',
    kitCase:
      'VirtIO 1.3 2.8.1, 2.8.6, 2.8.7: which packed descriptor is available, whose id counts, which flags of a table do',
  },
  {
    name: 'packed room of a batch',
    flaw: 'a batch takes entries that are not published yet',
    edits: [['this.entries < room && ', '']],
    killedBy:
      'a packed ring by windows > a batch ends with the last entry of the ring, even if the first is available again by then',
    kitCase: 'a packed ring gives no more entries than were published, to a batch and to a chain',
  },
  {
    name: 'packed room of a chain',
    flaw: 'a chain takes entries that are not published yet',
    edits: [['flags, room - this.entries)', 'flags, this.queueSize)']],
    killedBy: 'a packed ring by windows > a chain may not take entries that are not published yet',
    kitCase: 'a packed ring gives no more entries than were published, to a batch and to a chain',
  },
  {
    name: 'packed work of a batch',
    flaw: 'a batch walks descriptors without a bound',
    edits: [[' && batch.descriptors < descriptorLimit', '']],
    killedBy:
      'a packed ring by windows > a batch ends when enough descriptors were walked, whatever segments they left',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
  {
    name: 'packed wrap counter, windows',
    flaw: 'the wrap counter stays in the second lap',
    edits: [['        this.slot -= this.queueSize\n        this.wrap ^= 1\n', '        this.slot -= this.queueSize\n']],
    killedBy:
      'a packed ring by windows > virtio 1.3 2.8.6 a used descriptor has id, written length and both bits of the wrap counter; WRITE where it was written',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
  {
    name: 'packed flags twice, windows',
    flaw: 'a chain is followed by flags that were fetched again',
    edits: [
      [
        'this.slot, flags, room',
        'this.slot, desc.load16(PACKED_DESC_BYTES * this.slot + PACKED_DESC_FLAGS_OFFSET), room',
      ],
    ],
    killedBy:
      'packed > by windows > a driver that changes every word once it was loaded changes nothing: each is used from one fetch',
    kitCase:
      'what makes chains available is loaded first, with acquire or a read barrier; the rest follows, unordered and once',
  },
  {
    name: 'packed refused chain',
    flaw: 'a malformed chain is passed over',
    edits: [['status = this.refuse(walker.refusal, entries)', 'status = 0']],
    killedBy: 'a packed ring by windows > an indirect table without the feature',
    kitCase: 'a packed ring gives no more entries than were published, to a batch and to a chain',
  },
  {
    name: 'packed entries of a chain',
    flaw: 'every chain takes one entry of the ring',
    edits: [['slots[chain] = entries', 'slots[chain] = 1']],
    killedBy: 'packed > by windows > a missing translation is asked for again, and nothing is lost or done twice',
    kitCase: 'a ring reaches its memory by windows, or inside a hold and then by the lease alone',
  },
  {
    name: 'packed columns not parted',
    flaw: 'chains of several segments keep the columns of single ones',
    edits: [['    batch.part()\n    segStart[from] = from\n', '    segStart[from] = from\n']],
    killedBy:
      'a packed ring by lease > chains and batches go over the end of the ring, are given back over it, and are used over it',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
  {
    name: 'packed recall, rest',
    flaw: 'a chain that ends before its last descriptor is recalled',
    edits: [['if (taken !== entries) return taken < 0 ? taken : EINVAL', 'if (taken < 0) return taken']],
    killedBy: 'what is no chain is refused, and breaks nothing > a chain that ends before the last one',
    kitCase:
      'a chain that was taken before is recalled as it was; what is none is refused, and the queue not broken by it',
  },
])
