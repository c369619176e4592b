import { mutantsOf, type RingMutant } from './ring-mutant.ts'

/** Mutants of `split-reader.ts`. */
export const splitReaderMutants: readonly RingMutant[] = mutantsOf('split/split-reader.ts', [
  {
    name: 'split head bound, lease',
    flaw: 'a head is not compared with the queue size',
    edits: [['      if (!cpu.predict(head < queueSize)) break\n', '']],
    killedBy: 'a split ring by lease > a hostile driver breaks its queue and nothing else > a head out of range',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split head mask, lease',
    flaw: 'a head is not masked',
    edits: [['table + 4 * (nospec === true ? cpu.indexNospec(head, queueSize) : head)', 'table + 4 * head']],
    killedBy: 'split > by lease > a mispredicted bound check leads to no load outside the ring',
    kitCase: 'a mispredicted check of an index leads to no look outside of ring and buffers',
  },
  {
    name: 'split flags, lease',
    flaw: 'a chain of several descriptors is taken for one buffer',
    edits: [
      [
        'if ((cpu.load32(desc32, (word + 3) | 0) & SINGLE_FLAGS) !== flags || bytes === 0) break',
        'if (bytes === 0) break',
      ],
    ],
    killedBy: 'a split ring by lease > chains > virtio 1.3 2.7.5 a descriptor gives its address, length and direction',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
  {
    name: 'split empty buffer, lease',
    flaw: 'a buffer of no bytes becomes a segment',
    edits: [
      [
        '!== flags || bytes === 0) break\n      used[2 * chain] = head',
        '!== flags) break\n      used[2 * chain] = head',
      ],
    ],
    killedBy: 'split > by lease > a chain after 0 others is met as it is, whichever loop meets it',
    kitCase: 'descriptors of no bytes leave no segment, whatever stands around them',
  },
  {
    name: 'split length twice, lease',
    flaw: 'the length is fetched again after it was checked',
    edits: [
      [
        '      length[chain] = bytes\n    }\n    return chain\n  }\n\n  /**\n   * Reads chains of every kind',
        '      length[chain] = cpu.load32(desc32, word + 2)\n    }\n    return chain\n  }\n\n  /**\n   * Reads chains of every kind',
      ],
    ],
    killedBy:
      'split > by lease > a driver that changes every word once it was loaded changes nothing: each is used from one fetch',
    kitCase:
      'what makes chains available is loaded first, with acquire or a read barrier; the rest follows, unordered and once',
  },
  {
    name: 'split head twice, lease',
    flaw: 'the head is fetched again after it was checked',
    edits: [
      [
        '      used[2 * chain] = head\n',
        '      used[2 * chain] = cpu.load16(driver16, ring + ((nextAvail + chain) & mask))\n',
      ],
    ],
    killedBy:
      'split > by lease > a driver that changes every word once it was loaded changes nothing: each is used from one fetch',
    kitCase:
      'what makes chains available is loaded first, with acquire or a read barrier; the rest follows, unordered and once',
  },
  {
    name: 'split avail wrap, lease',
    flaw: 'the avail ring is read past its end',
    edits: [['ring + ((nextAvail + chain) & mask)', 'ring + nextAvail + chain']],
    killedBy: 'a split ring by lease > chains > rewind gives the last chains back',
    kitCase: 'rings of both formats carry chains of every kind, lap after lap, while pages move',
  },
  {
    name: 'split head bound, windows',
    flaw: 'a head is not compared with the queue size',
    edits: [
      [
        "if (!cpu.predict(head < queueSize)) return loaded > from ? loaded : this.refuse('head-out-of-range', EINVAL)",
        '',
      ],
    ],
    killedBy: 'a split ring by windows > a hostile driver breaks its queue and nothing else > a head out of range',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split head mask, windows',
    flaw: 'a head is not masked',
    edits: [
      [
        'const head = nospec === true ? cpu.indexNospec(entry[chain]!, queueSize) : entry[chain]!',
        'const head = entry[chain]!',
      ],
    ],
    killedBy: 'split > by windows > a mispredicted bound check leads to no load outside the ring',
    kitCase: 'a mispredicted check of an index leads to no look outside of ring and buffers',
  },
  {
    name: 'split avail wrap, windows',
    flaw: 'the avail ring is read past its end',
    edits: [['((nextAvail + loaded) & (queueSize - 1))', '(nextAvail + loaded)']],
    killedBy: 'a split ring by windows > chains > rewind gives the last chains back',
    kitCase:
      'a split driver is notified at first, after 65536 chains, and where it asked for it when the device ran out',
  },
  {
    name: 'split entry fault, windows',
    flaw: 'an entry that can not be loaded is taken for a head',
    edits: [["if (head < 0) return loaded > from ? loaded : this.refuse('metadata-fault', head)", '']],
    killedBy: 'split > by lease > what can not be reached ends the batch before its chain, whatever part of it that is',
    kitCase: 'what lies on a page that is gone ends the batch before its chain, whatever part of it that is',
  },
  {
    name: 'split first entry fault, windows',
    flaw: 'a first entry that can not be loaded is a head out of range',
    edits: [["this.refuse('metadata-fault', head)", "this.refuse('head-out-of-range', EINVAL)"]],
    killedBy:
      'split > by windows > what can not be reached ends the batch before its chain, whatever part of it that is',
    kitCase: 'what lies on a page that is gone ends the batch before its chain, whatever part of it that is',
  },
  {
    name: 'split head refused, windows',
    flaw: 'a first head out of range looks like an empty ring',
    edits: [["return loaded > from ? loaded : this.refuse('head-out-of-range', EINVAL)", 'return loaded']],
    killedBy: 'a split ring by windows > a hostile driver breaks its queue and nothing else > a head out of range',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split descriptor fault, windows',
    flaw: 'a descriptor that can not be loaded is used',
    edits: [
      [
        "if (status < 0) return chain > from ? chain : this.refuse('metadata-fault', status)",
        'if (status > 0) return chain',
      ],
    ],
    killedBy: 'split > by lease > what can not be reached ends the batch before its chain, whatever part of it that is',
    kitCase: 'what lies on a page that is gone ends the batch before its chain, whatever part of it that is',
  },
  {
    name: 'split flags, windows',
    flaw: 'a chain of several descriptors is taken for one buffer',
    edits: [['(descriptor[word + 3]! & SINGLE_FLAGS) !== kind || bytes === 0', 'bytes === 0']],
    killedBy:
      'a split ring by windows > chains > virtio 1.3 2.7.5 a descriptor gives its address, length and direction',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
  {
    name: 'split empty buffer, windows',
    flaw: 'a buffer of no bytes becomes a segment',
    edits: [['!== kind || bytes === 0', '!== kind']],
    killedBy: 'split > by windows > a chain after 0 others is met as it is, whichever loop meets it',
    kitCase: 'descriptors of no bytes leave no segment, whatever stands around them',
  },
  {
    name: 'split empty buffer, after others',
    flaw: 'a buffer of no bytes becomes a segment',
    edits: [['(flags & NOT_SINGLE) === 0 && descriptor[word + 2]! !== 0', '(flags & NOT_SINGLE) === 0']],
    killedBy:
      'a split ring by windows > chains > zero-length descriptors leave no segment (CVE-2019-14835, CVE-2016-6490)',
    kitCase: 'descriptors of no bytes leave no segment, whatever stands around them',
  },
  {
    name: 'split flags, after others',
    flaw: 'a chain of several descriptors is taken for one buffer',
    edits: [['(flags & NOT_SINGLE) === 0 && descriptor[word + 2]! !== 0', 'descriptor[word + 2]! !== 0']],
    killedBy: 'a split ring by windows > chains > virtio 1.3 2.7.4.2 a chain is readable segments, then writable ones',
    kitCase: 'descriptors of no bytes leave no segment, whatever stands around them',
  },
  {
    name: 'split work of a batch',
    flaw: 'a batch walks descriptors without a bound',
    edits: [[' && batch.descriptors < descriptorLimit', '']],
    killedBy:
      'a split ring by windows > a hostile driver breaks its queue and nothing else > a batch ends when enough descriptors were walked, whatever segments they left',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
  {
    name: 'split chains of a table not counted',
    flaw: 'descriptors are not counted',
    edits: [['        batch.descriptors++\n        batch.entries++\n', '        batch.entries++\n']],
    killedBy:
      'split > by windows > a batch counts every descriptor that was walked for it, and the next begins at zero',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
  {
    name: 'split refused chain',
    flaw: 'a malformed chain is passed over',
    edits: [['return chain > 0 ? chain : this.refuse(this.walker.refusal, last)', 'return chain']],
    killedBy: 'a split ring by windows > a hostile driver breaks its queue and nothing else > next out of range',
    kitCase: 'what lies on a page that is gone ends the batch before its chain, whatever part of it that is',
  },
  {
    name: 'split columns not parted',
    flaw: 'chains of several segments keep the columns of single ones',
    edits: [['    batch.part()\n', '']],
    killedBy:
      'split > by windows > a batch counts every descriptor that was walked for it, and the next begins at zero',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
  {
    name: 'split recalled head',
    flaw: 'a head out of range is recalled',
    edits: [
      [
        "if (!this.cpu.predict(head < this.queueSize)) return this.refuse('head-out-of-range', EINVAL)\n    batch.entry[0]",
        'batch.entry[0]',
      ],
    ],
    killedBy: 'what is no chain is refused, and breaks nothing > a head out of range',
    kitCase:
      'a chain that was taken before is recalled as it was; what is none is refused, and the queue not broken by it',
  },
])
