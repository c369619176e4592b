import { mutantsOf, type RingMutant } from './ring-mutant.ts'

/** Mutants of `split-chain-walker.ts`. */
export const splitWalkerMutants: readonly RingMutant[] = mutantsOf('split/split-chain-walker.ts', [
  {
    name: 'split indirect feature',
    flaw: 'tables are followed without VIRTIO_F_INDIRECT_DESC',
    edits: [["if (!this.indirect) return this.refuse('indirect-not-negotiated')", '']],
    killedBy:
      'a split ring by windows > a hostile driver breaks its queue and nothing else > an indirect table without the feature',
    kitCase: 'an indirect table needs its feature',
  },
  {
    name: 'split nested table',
    flaw: 'a table may name a table',
    edits: [["if (indirect) return this.refuse('indirect-nested')", '']],
    killedBy: 'a split ring by windows > a hostile driver breaks its queue and nothing else > a nested indirect table',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split table with next',
    flaw: 'INDIRECT and NEXT go together',
    edits: [["if ((flags & VIRTQ_DESC_F_NEXT) !== 0) return this.refuse('indirect-with-next')", '']],
    killedBy:
      'a split ring by windows > a hostile driver breaks its queue and nothing else > indirect together with next',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split table empty',
    flaw: 'a table of no bytes is followed',
    edits: [['if (bytes === 0 || bytes % DESC_BYTES !== 0', 'if (bytes % DESC_BYTES !== 0']],
    killedBy: 'a split ring by windows > a hostile driver breaks its queue and nothing else > an empty indirect table',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split table of odd length',
    flaw: 'a table ends within a descriptor',
    edits: [['bytes % DESC_BYTES !== 0 || ', '']],
    killedBy:
      'a split ring by windows > a hostile driver breaks its queue and nothing else > an indirect length that is no multiple of 16',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split table too long',
    flaw: 'a table is longer than next can reach',
    edits: [[' || bytes > DESC_BYTES * 65536', '']],
    killedBy:
      'a split ring by windows > a hostile driver breaks its queue and nothing else > an indirect table of 65537 descriptors',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split bound of a table',
    flaw: 'a table has as many descriptors as it says',
    edits: [['limit = walked + Math.min(tableSize, this.chainMax)', 'limit = walked + tableSize']],
    killedBy:
      'a split ring by windows > a hostile driver breaks its queue and nothing else > more segments than a chain may have',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split bound of a ring chain',
    flaw: 'a chain may be as long as its ring',
    edits: [['let limit = Math.min(tableSize, this.chainMax)', 'let limit = tableSize']],
    killedBy:
      'a split ring by windows > a hostile driver breaks its queue and nothing else > a chain has at most 1024 descriptors, those of length zero too, however large its ring is',
    kitCase: 'a chain has no more descriptors than the device accepts, in the ring and in its table',
  },
  {
    name: 'split chain bound',
    flaw: 'a chain that comes back to itself is followed for ever',
    edits: [["if (walked >= limit) return this.refuse('chain-too-long')", '']],
    killedBy:
      'a split ring by windows > a hostile driver breaks its queue and nothing else > a descriptor that follows itself',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split next bound',
    flaw: 'next is not compared with the size of its table',
    edits: [["if (!cpu.predict(given < tableSize)) return this.refuse('next-out-of-range')", '']],
    killedBy: 'a split ring by windows > a hostile driver breaks its queue and nothing else > next out of range',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split next mask',
    flaw: 'next is not masked',
    edits: [['const next = this.nospec ? cpu.indexNospec(given, tableSize) : given', 'const next = given']],
    killedBy: 'split > by windows > a mispredicted bound check leads to no load outside the ring',
    kitCase: 'a mispredicted check of an index leads to no look outside of ring and buffers',
  },
  {
    name: 'split readable after writable',
    flaw: 'readable descriptors may follow writable ones',
    edits: [["} else if (writable >= 0) return this.refuse('readable-after-writable')", '}']],
    killedBy: 'a split ring by windows > a hostile driver breaks its queue and nothing else > readable after writable',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split empty segment',
    flaw: 'an empty descriptor of a chain becomes a segment',
    edits: [['if (words[2]! !== 0) {', '{']],
    killedBy:
      'a split ring by windows > chains > zero-length descriptors leave no segment (CVE-2019-14835, CVE-2016-6490)',
    kitCase: 'descriptors of no bytes leave no segment, whatever stands around them',
  },
  {
    name: 'split head descriptor twice',
    flaw: 'the head descriptor is fetched again, after its flags were looked at',
    edits: [
      [
        'for (let word = 0; word < 4; word++) words[word] = batch.descriptor[4 * chain + word]!',
        'desc.loadWords(DESC_BYTES * batch.entry[chain]!, words, 0, 4)',
      ],
    ],
    killedBy:
      'split > by windows > a driver that changes every word once it was loaded changes nothing: each is used from one fetch',
    kitCase: 'a driver that changes every word once it was loaded changes nothing',
  },
  {
    name: 'split descriptor fault in a chain',
    flaw: 'a descriptor that can not be loaded is used',
    edits: [["if (status < 0) return indirect ? status : this.refuse('metadata-fault', status)", '']],
    killedBy: 'split > by windows > an indirect table whose translation is missing ends the batch before its chain',
    kitCase: 'what lies on a page that is gone ends the batch before its chain, whatever part of it that is',
  },
  {
    name: 'split table fault',
    flaw: 'a table that can not be reached is used',
    edits: [
      [
        "return status === 0 || status === EAGAIN ? status : this.refuse('indirect-fault', status)",
        'return status === EAGAIN ? status : 0',
      ],
    ],
    killedBy:
      'a split ring by windows > a hostile driver breaks its queue and nothing else > an indirect table in a hole',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split first of a table',
    flaw: 'the first descriptor of a table may be missing',
    edits: [['        if (status < 0) return status\n        continue', '        continue']],
    killedBy:
      'a split ring by windows > a hostile driver breaks its queue and nothing else > an indirect table in a hole',
    kitCase: 'an indirect table whose translation is missing ends the batch before its chain, at any entry of it',
  },
  {
    name: 'split table miss',
    flaw: 'a table whose translation is missing breaks the queue',
    edits: [
      [
        "status === 0 || status === EAGAIN ? status : this.refuse('indirect-fault', status)",
        "status === 0 ? status : this.refuse('indirect-fault')",
      ],
    ],
    killedBy: 'split > by windows > an indirect table whose translation is missing ends the batch before its chain',
    kitCase: 'an indirect table whose translation is missing ends the batch before its chain, at any entry of it',
  },
  {
    name: 'split walk not counted',
    flaw: 'descriptors of chains are not counted',
    edits: [['walked++) {\n      batch.descriptors++\n', 'walked++) {\n']],
    killedBy:
      'a split ring by windows > a hostile driver breaks its queue and nothing else > a batch ends when enough descriptors were walked, whatever segments they left',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
])
