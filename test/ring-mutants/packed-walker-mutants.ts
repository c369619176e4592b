import { mutantsOf, type RingMutant } from './ring-mutant.ts'

/** Mutants of `packed-chain-walker.ts`. */
export const packedWalkerMutants: readonly RingMutant[] = mutantsOf('packed/packed-chain-walker.ts', [
  {
    name: 'packed flags twice',
    flaw: 'flags of the first descriptor are used from the second fetch',
    edits: [['if (taken > 1) now = words[3]! >>> 16', 'now = words[3]! >>> 16']],
    killedBy:
      'packed > by windows > a driver that changes every word once it was loaded changes nothing: each is used from one fetch',
    kitCase: 'a driver that changes every word once it was loaded changes nothing',
  },
  {
    name: 'packed descriptor fault',
    flaw: 'a descriptor that can not be loaded is used',
    edits: [["if (status < 0) return this.refuse('metadata-fault', status)", '']],
    killedBy:
      'packed > by windows > what can not be reached ends the batch before its chain, whatever part of it that is',
    kitCase: 'what lies on a page that is gone ends the batch before its chain, whatever part of it that is',
  },
  {
    name: 'packed indirect feature',
    flaw: 'tables are followed without VIRTIO_F_INDIRECT_DESC',
    edits: [["if (!this.indirect) return this.refuse('indirect-not-negotiated')", '']],
    killedBy: 'a packed ring by windows > an indirect table without the feature',
    kitCase: 'an indirect table needs its feature',
  },
  {
    name: 'packed table with next',
    flaw: 'INDIRECT and NEXT go together',
    edits: [['if (taken > 1 || !last) return', 'if (taken > 1) return']],
    killedBy: 'a packed ring by windows > INDIRECT with NEXT breaks the queue and nothing else',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'packed table in a chain',
    flaw: 'a table may stand in a chain',
    edits: [['if (taken > 1 || !last) return', 'if (!last) return']],
    killedBy: 'a packed ring by windows > INDIRECT after NEXT breaks the queue and nothing else',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'packed table walk',
    flaw: 'a table is walked on in spite of what is wrong with it',
    edits: [['        if (walked < 0) return walked\n', '']],
    killedBy: 'packed > by windows > an indirect table whose translation is missing ends the batch before its chain',
    kitCase: 'an indirect table whose translation is missing ends the batch before its chain, at any entry of it',
  },
  {
    name: 'packed readable after writable',
    flaw: 'readable descriptors may follow writable ones',
    edits: [
      [
        "      if (!this.take(batch, now)) return this.refuse('readable-after-writable')",
        '      this.take(batch, now)',
      ],
    ],
    killedBy: 'a packed ring by windows > readable after writable breaks the queue and nothing else',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'packed chain bound',
    flaw: 'a chain goes round its ring',
    edits: [["if (taken >= limit) return this.refuse('chain-too-long')", '']],
    killedBy: 'a packed ring by windows > a chain of all descriptors without end breaks the queue and nothing else',
    kitCase: 'a packed ring gives no more entries than were published, to a batch and to a chain',
  },
  {
    name: 'packed bound of a ring chain',
    flaw: 'a chain may be as long as its ring',
    edits: [['const limit = Math.min(room, this.chainMax)', 'const limit = room']],
    killedBy:
      'a packed ring by windows > a chain has at most 1024 descriptors, and its table too, however large its ring is',
    kitCase: 'a chain has no more descriptors than the device accepts, in the ring and in its table',
  },
  {
    name: 'packed end of the ring',
    flaw: 'a chain is followed past the end of its ring',
    edits: [['at = at + 1 === this.queueSize ? 0 : at + 1', 'at = at + 1']],
    killedBy:
      'a packed ring by windows > chains and batches go over the end of the ring, are given back over it, and are used over it',
    kitCase: 'a ring reaches its memory by windows, or inside a hold and then by the lease alone',
  },
  {
    name: 'packed id of the last',
    flaw: 'the id is that of the first descriptor',
    edits: [
      [
        '      if (last) {\n        this.id = words[3]! & 0xffff\n        break',
        '      if (taken === 1) this.id = words[3]! & 0xffff\n      if (last) {\n        break',
      ],
    ],
    killedBy: 'a packed ring by windows > virtio 1.3 2.8.6 a chain has the buffer id of its last descriptor',
    kitCase:
      'VirtIO 1.3 2.8.1, 2.8.6, 2.8.7: which packed descriptor is available, whose id counts, which flags of a table do',
  },
  {
    name: 'packed id bound',
    flaw: 'an id is not compared with the queue size',
    edits: [["if (!this.cpu.predict(this.id < this.queueSize)) return this.refuse('id-out-of-range')", '']],
    killedBy: 'a packed ring by windows > an id out of range breaks the queue and nothing else',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'packed table empty',
    flaw: 'a table of no bytes is followed',
    edits: [
      [
        "if (bytes === 0 || bytes % PACKED_DESC_BYTES !== 0 || bytes > PACKED_DESC_BYTES * 65536)\n      return this.refuse('indirect-length')",
        "if (bytes % PACKED_DESC_BYTES !== 0 || bytes > PACKED_DESC_BYTES * 65536) return this.refuse('indirect-length')",
      ],
    ],
    killedBy: 'a packed ring by windows > an indirect length of 0 breaks the queue and nothing else',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'packed table of odd length',
    flaw: 'a table ends within a descriptor',
    edits: [['bytes % PACKED_DESC_BYTES !== 0 || ', '']],
    killedBy:
      'a packed ring by windows > an indirect length that is no multiple of 16 breaks the queue and nothing else',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'packed table too long',
    flaw: 'a table is longer than a queue can be',
    edits: [[' || bytes > PACKED_DESC_BYTES * 65536', '']],
    killedBy: 'a packed ring by windows > an indirect table of 65537 descriptors breaks the queue and nothing else',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'packed bound of a table',
    flaw: 'a table has as many descriptors as it says',
    edits: [["if (entries > this.chainMax) return this.refuse('chain-too-long')", '']],
    killedBy:
      'a packed ring by windows > an indirect table longer than a chain may be breaks the queue and nothing else',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'packed table fault',
    flaw: 'a table that can not be reached is used',
    edits: [
      [
        "if (status < 0) return status === EAGAIN ? EAGAIN : this.refuse('indirect-fault', status)",
        'if (status === EAGAIN) return EAGAIN',
      ],
    ],
    killedBy: 'a packed ring by windows > an indirect table in a hole breaks the queue and nothing else',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'packed table miss',
    flaw: 'a table whose translation is missing breaks the queue',
    edits: [
      ["status === EAGAIN ? EAGAIN : this.refuse('indirect-fault', status)", "this.refuse('indirect-fault', EINVAL)"],
    ],
    killedBy: 'packed > by windows > an indirect table whose translation is missing ends the batch before its chain',
    kitCase: 'an indirect table whose translation is missing ends the batch before its chain, at any entry of it',
  },
  {
    name: 'packed readable after writable, table',
    flaw: 'readable descriptors may follow writable ones in a table',
    edits: [
      [
        "      if (!this.take(batch, words[3]! >>> 16)) return this.refuse('readable-after-writable')",
        '      this.take(batch, words[3]! >>> 16)',
      ],
    ],
    killedBy: 'a packed ring by windows > readable after writable in a table breaks the queue and nothing else',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'packed flags of a table',
    flaw: 'flags of a table other than WRITE are looked at',
    edits: [
      [
        '      if (!this.take(batch, words[3]! >>> 16))',
        "      if ((words[3]! >>> 16 & VIRTQ_DESC_F_INDIRECT) !== 0) return this.refuse('indirect-nested')\n      if (!this.take(batch, words[3]! >>> 16))",
      ],
    ],
    killedBy:
      'a packed ring by windows > virtio 1.3 2.8.7 in an indirect table every flag but WRITE, and the id, mean nothing',
    kitCase:
      'VirtIO 1.3 2.8.1, 2.8.6, 2.8.7: which packed descriptor is available, whose id counts, which flags of a table do',
  },
  {
    name: 'packed empty segment',
    flaw: 'an empty descriptor of a chain becomes a segment',
    edits: [['if (words[2]! === 0) return true', '']],
    killedBy: 'packed > by windows > a chain after 0 others is met as it is, whichever loop meets it',
    kitCase: 'descriptors of no bytes leave no segment, whatever stands around them',
  },
  {
    name: 'packed walk not counted',
    flaw: 'descriptors of chains are not counted',
    edits: [['      taken++\n      batch.descriptors++\n', '      taken++\n']],
    killedBy:
      'a packed ring by windows > a batch ends when enough descriptors were walked, whatever segments they left',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
  {
    name: 'packed table not counted',
    flaw: 'descriptors of tables are not counted',
    edits: [['      batch.descriptors++\n      if (!this.take', '      if (!this.take']],
    killedBy:
      'a packed ring by windows > a batch ends when enough descriptors were walked, whatever segments they left',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
])
