import { mutantsOf, type RingMutant } from './ring-mutant.ts'

/** Mutants of `packed-device-queue.ts`. */
export const packedQueueMutants: readonly RingMutant[] = mutantsOf('packed/packed-device-queue.ts', [
  {
    name: 'packed room',
    flaw: 'descriptors are taken that are not published yet',
    edits: [['const limit = room < most ? room | 0 : most', 'const limit = most']],
    killedBy:
      'a packed ring by lease > a driver that makes used descriptors available before they are used gives no more than the ring has',
    kitCase: 'chains before a malformed one are served first; a driver that gives more than the ring has gets nothing',
  },
  {
    name: 'packed columns bound',
    flaw: 'a batch takes more chains than its columns hold',
    edits: [['const most = max < batch.entry.length ? max | 0 : batch.entry.length | 0', 'const most = max | 0']],
    killedBy: 'packed > by windows > a batch takes no more than its columns hold',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
  {
    name: 'packed hold bound',
    flaw: 'one hold reads a whole batch',
    edits: [['Math.min(limit - from, HOLD_CHAINS, this.queueSize', 'Math.min(limit - from, this.queueSize']],
    killedBy: 'a hold of a packed ring > reads at most 64 chains, and publishes at most as many',
    kitCase: 'one hold reads 64 chains at most, and publishes no more',
  },
  {
    name: 'packed pop past the end',
    flaw: 'a hold reads descriptors past the end of the ring',
    edits: [['HOLD_CHAINS, this.queueSize - reader.slot)', 'HOLD_CHAINS)']],
    killedBy: 'a hold of a packed ring > touches the lease and nothing else, and what it gave is not touched after it',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
  {
    name: 'packed publish of long chains by lease',
    flaw: 'chains of several ring entries are published as if each had one',
    edits: [[' && (entries === stored || stored === 1) && ', ' && ']],
    killedBy:
      'a packed ring by lease > chains and batches go over the end of the ring, are given back over it, and are used over it',
    kitCase: 'a ring reaches its memory by windows, or inside a hold and then by the lease alone',
  },
  {
    name: 'packed pending entries',
    flaw: 'chains that are pushed one by one count as one ring entry each',
    edits: [['    if (this.slots[at] !== 1) this.pendingSingle = false\n', '']],
    killedBy: 'a hold of a packed ring > touches the lease and nothing else, and what it gave is not touched after it',
    kitCase: 'a ring reaches its memory by windows, or inside a hold and then by the lease alone',
  },
  {
    name: 'packed lengths of what is given back',
    flaw: 'the length of a writable chain to which nothing was written stays what the driver wrote',
    edits: [['one ? 1 : count, entries, !readable)', 'one ? 1 : count, entries, false)']],
    killedBy: 'packed > by lease > lengths of writable chains that were not are stored before flags',
    kitCase: 'what publishes used chains is the last store, with release, and the only one that is ordered',
  },
  {
    name: 'packed publish hold bound',
    flaw: 'one hold publishes whatever is pending',
    edits: [['stored <= HOLD_CHAINS && ', '']],
    killedBy: 'a hold of a packed ring > reads at most 64 chains, and publishes at most as many',
    kitCase: 'one hold reads 64 chains at most, and publishes no more',
  },
  {
    name: 'packed walk under hold',
    flaw: 'chains are walked while the lease is held',
    edits: [
      [
        '      const taken = reader.readByLease(lease, batch, from, end)\n',
        '      let taken = reader.readByLease(lease, batch, from, end)\n      if (taken < end && !reader.empty) taken = reader.readByWindows(batch, taken, end, this.queueSize - this.inFlight)\n',
      ],
    ],
    killedBy: 'a hold of a packed ring > touches the lease and nothing else, and what it gave is not touched after it',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
  {
    name: 'packed read without hold',
    flaw: 'descriptors are read through a lease that is not held',
    edits: [['while (from < limit && !reader.empty && lease.hold()) {', 'while (from < limit && !reader.empty) {']],
    killedBy:
      'a packed ring by lease > virtio 1.3 2.8.9 in order, one used descriptor stands for a batch that was only read',
    kitCase: 'descriptors of no bytes leave no segment, whatever stands around them',
  },
  {
    name: 'packed read after the hold',
    flaw: 'descriptors are read after the hold has ended',
    edits: [
      [
        '      const taken = reader.readByLease(lease, batch, from, end)\n      // The descriptor that it stopped at was loaded too.\n      lease.release(taken < end ? taken - from + 1 : taken - from, 0, 0)\n',
        '      lease.release(0, 0, 0)\n      const taken = reader.readByLease(lease, batch, from, end)\n',
      ],
    ],
    killedBy: 'a hold of a packed ring > touches the lease and nothing else, and what it gave is not touched after it',
    kitCase: 'a ring reaches its memory by windows, or inside a hold and then by the lease alone',
  },
  {
    name: 'packed publish without hold',
    flaw: 'used descriptors are stored through a lease that is not held',
    edits: [['stored <= HOLD_CHAINS && lease.hold()', 'stored <= HOLD_CHAINS']],
    killedBy:
      'a packed ring by lease > virtio 1.3 2.8.9 in order, one used descriptor stands for a batch that was only read',
    kitCase: 'a ring reaches its memory by windows, or inside a hold and then by the lease alone',
  },
  {
    name: 'packed publish hold without end',
    flaw: 'the lease stays held after used descriptors were stored',
    edits: [
      [
        'lease.release(publisher.publishByLease(lease, elements, from, stored, written), 0, 0)',
        'publisher.publishByLease(lease, elements, from, stored, written)',
      ],
    ],
    killedBy: 'a hold of a packed ring > touches the lease and nothing else, and what it gave is not touched after it',
    kitCase: 'a ring reaches its memory by windows, or inside a hold and then by the lease alone',
  },
  {
    name: 'packed broken: pop',
    flaw: 'a broken queue goes on taking chains',
    edits: [['    batch.begin()\n    if (this.broken !== null) return EINVAL\n', '    batch.begin()\n']],
    killedBy: 'a packed ring by windows > ring memory that goes away breaks the queue and nothing else',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'packed broken: publish',
    flaw: 'a broken queue goes on publishing',
    edits: [['    if (this.broken !== null) return EINVAL\n    const { publisher', '    const { publisher']],
    killedBy: 'a packed ring by windows > an id out of range breaks the queue and nothing else',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'packed broken: notify',
    flaw: 'a broken queue notifies',
    edits: [
      [
        '  needsNotification(): boolean {\n    if (this.broken !== null) return false\n',
        '  needsNotification(): boolean {\n',
      ],
    ],
    killedBy: 'a packed ring by windows > an id out of range breaks the queue and nothing else',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'packed broken: disable',
    flaw: 'a broken queue stores flags',
    edits: [
      [
        'if (this.notifications.suppressed || this.broken !== null) return',
        'if (this.notifications.suppressed) return',
      ],
    ],
    killedBy: 'a packed ring by windows > an id out of range breaks the queue and nothing else',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'packed broken: enable',
    flaw: 'a broken queue asks to be notified',
    edits: [
      [
        '  enableNotification(): number {\n    if (this.broken !== null) return EINVAL\n',
        '  enableNotification(): number {\n',
      ],
    ],
    killedBy: 'a packed ring by windows > an id out of range breaks the queue and nothing else',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'packed broken: more',
    flaw: 'a broken queue looks for more',
    edits: [['  hasMore(): number {\n    if (this.broken !== null) return EINVAL\n', '  hasMore(): number {\n']],
    killedBy: 'a packed ring by windows > an id out of range breaks the queue and nothing else',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'packed refusal latched',
    flaw: 'a malformed chain is refused again and again',
    edits: [['count === EAGAIN ? EAGAIN : this.latch(reader.refusal)', 'count']],
    killedBy: 'a packed ring by windows > an indirect table without the feature',
    kitCase: 'a packed ring gives no more entries than were published, to a batch and to a chain',
  },
  {
    name: 'packed miss breaks',
    flaw: 'a missing translation breaks the queue',
    edits: [["if (status !== EAGAIN) this.latch('metadata-fault')", "this.latch('metadata-fault')"]],
    killedBy: 'packed > by windows > a missing translation is asked for again, and nothing is lost or done twice',
    kitCase: 'a translation that is missing is asked for again by whatever needs it, and nothing is lost or done twice',
  },
  {
    name: 'packed fault does not break',
    flaw: 'a ring that can not be reached does not break the queue',
    edits: [["if (status !== EAGAIN) this.latch('metadata-fault')", '']],
    killedBy: 'packed > by windows > flush breaks the queue when its memory is gone',
    kitCase: 'nothing is published where a part of it can not be stored',
  },
  {
    name: 'packed miss in a TX batch',
    flaw: 'chains that could not be published are forgotten',
    edits: [['if (status === EAGAIN) for (let chain = 0; chain < count; chain++) this.push(batch, chain, 0)', '']],
    killedBy: 'packed > by windows > a missing translation is asked for again, and nothing is lost or done twice',
    kitCase: 'a translation that is missing is asked for again by whatever needs it, and nothing is lost or done twice',
  },
  {
    name: 'packed barrier before the event',
    flaw: 'the event is loaded before used descriptors are visible',
    edits: [['    this.cpu.mb()\n    const wanted', '    const wanted']],
    killedBy:
      'packed > by windows > a full barrier stands between publishing and the look at what the driver asked for',
    kitCase: 'a full barrier stands before the look at what the driver asks for, and before the second look',
  },
  {
    name: 'packed barrier before the second look',
    flaw: 'flags are loaded before the driver sees what was asked',
    edits: [['    this.cpu.mb()\n    return this.hasMore()', '    return this.hasMore()']],
    killedBy:
      'packed > by windows > a full barrier stands between asking for notification and the second look, which is an acquire',
    kitCase: 'a full barrier stands before the look at what the driver asks for, and before the second look',
  },
  {
    name: 'packed acquire, second look',
    flaw: 'flags are loaded without acquire after notifications were asked for',
    edits: [['const now = this.desc.load16Acquire(', 'const now = this.desc.load16(']],
    killedBy:
      'packed > by windows > a full barrier stands between asking for notification and the second look, which is an acquire',
    kitCase: 'a full barrier stands before the look at what the driver asks for, and before the second look',
  },
  {
    name: 'packed second look',
    flaw: 'a chain that came while notifications were asked for is not seen',
    edits: [['return isAvailable(now, this.seenWrap) ? 1 : 0', 'return 0']],
    killedBy:
      'a packed ring by windows > virtio 1.3 2.8.14 kicks are suppressed and asked for again by flags, and nothing is lost between',
    kitCase: 'a device that asked to be notified misses no chain, and what it suppresses stays suppressed',
  },
  {
    name: 'packed second look fault',
    flaw: 'flags that can not be loaded are used',
    edits: [['if (now < 0) return this.fault(now)', '']],
    killedBy: 'packed > by windows > the second look after asking for notification fails as the first does',
    kitCase: 'the second look after asking for notification fails as the first does',
  },
  {
    name: 'packed nothing left to see',
    flaw: 'a descriptor that is not published yet is looked at',
    edits: [['if (this.inFlight === this.queueSize) return 0', '']],
    killedBy:
      'a packed ring by windows > a driver that makes used descriptors available before they are used gives no more than the ring has',
    kitCase: 'chains before a malformed one are served first; a driver that gives more than the ring has gets nothing',
  },
  {
    name: 'packed event miss',
    flaw: 'an event that can not be loaded is used',
    edits: [['return wanted < 0 ? this.fault(wanted) < 0 : wanted === 1', 'return wanted === 1']],
    killedBy: 'packed > by windows > needsNotification breaks the queue when its memory is gone',
    kitCase: 'a translation that is missing is asked for again by whatever needs it, and nothing is lost or done twice',
  },
  {
    name: 'packed in order, written',
    flaw: 'one descriptor stands for buffers that were written',
    edits: [['const one = this.inOrder && readable', 'const one = this.inOrder']],
    killedBy:
      'packed > by windows > in order, every buffer that the device may have written has a used element of its own',
    kitCase: 'in order, one used element stands for what was read, and each buffer that may be written has its own',
  },
  {
    name: 'packed log',
    flaw: 'used descriptors are not in the migration log',
    edits: [['if (this.log !== null) publisher.logTo(this.log, slots, from, stored)', '']],
    killedBy: 'a packed ring by windows > every write of the ring is in the migration log, found by area',
    kitCase: 'each byte that a ring changes is in the migration log, after it was stored and outside of every hold',
  },
  {
    name: 'packed log before data',
    flaw: 'the log is told before the descriptors are stored',
    edits: [
      [
        '    publisher.begin(this.nextUsed, this.usedWrap)\n',
        '    publisher.begin(this.nextUsed, this.usedWrap)\n    if (this.log !== null) publisher.logTo(this.log, slots, from, stored)\n',
      ],
      [
        '    if (status < 0) return this.fault(status)\n    if (this.log !== null) publisher.logTo(this.log, slots, from, stored)\n',
        '    if (status < 0) return this.fault(status)\n',
      ],
    ],
    killedBy:
      'packed > by windows > every store is in memory before it is in the migration log, and no log is kept inside a hold',
    kitCase: 'each byte that a ring changes is in the migration log, after it was stored and outside of every hold',
  },
  {
    name: 'packed used wrap counter',
    flaw: 'the used wrap counter stays in the second lap',
    edits: [
      ['      this.nextUsed -= this.queueSize\n      this.usedWrap ^= 1\n', '      this.nextUsed -= this.queueSize\n'],
    ],
    killedBy:
      'a packed ring by windows > virtio 1.3 2.8.6 a used descriptor has id, written length and both bits of the wrap counter; WRITE where it was written',
    kitCase: 'a ring reaches its memory by windows, or inside a hold and then by the lease alone',
  },
  {
    name: 'packed entries in flight',
    flaw: 'published descriptors still count as taken',
    edits: [
      [
        '    this.inFlight -= entries\n    this.notifications.passUsed(entries)\n',
        '    this.notifications.passUsed(entries)\n',
      ],
    ],
    killedBy:
      'a packed ring by windows > virtio 1.3 2.8.6 a used descriptor has id, written length and both bits of the wrap counter; WRITE where it was written',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
  {
    name: 'packed base: slots',
    flaw: 'a base beyond the ring is accepted',
    edits: [['if ((avail & 0x7fff) >= this.queueSize || (used & 0x7fff) >= this.queueSize) return EINVAL\n', '\n']],
    killedBy:
      'a packed ring by windows > a base of 32 bits has both positions; one of 16 stands for both, and a slot beyond the ring is refused',
    kitCase: 'another queue goes on from the base of the one before; a base that no ring has is refused',
  },
  {
    name: 'packed base: order',
    flaw: 'a base whose used position is ahead is accepted',
    edits: [['if (this.availWrap === this.usedWrap ? ahead < 0 : ahead > 0) return EINVAL', '']],
    killedBy:
      'a packed ring by windows > a base of 32 bits has both positions; one of 16 stands for both, and a slot beyond the ring is refused',
    kitCase: 'another queue goes on from the base of the one before; a base that no ring has is refused',
  },
  {
    name: 'packed rewind wrap',
    flaw: 'the wrap counter stays when a batch is given back over the end of the ring',
    edits: [
      ['    this.nextAvail += this.queueSize\n    this.availWrap ^= 1\n', '    this.nextAvail += this.queueSize\n'],
    ],
    killedBy:
      'a packed ring by windows > chains and batches go over the end of the ring, are given back over it, and are used over it',
    kitCase: 'rings of both formats carry chains of every kind, lap after lap, while pages move',
  },
  {
    name: 'packed what was seen',
    flaw: 'what was seen and given back counts as more',
    edits: [
      [
        '    this.seenSlot = reader.slot\n    this.seenWrap = reader.wrap\n    // Chains',
        '    this.seenSlot = this.nextAvail\n    this.seenWrap = this.availWrap\n    // Chains',
      ],
    ],
    killedBy: 'a packed ring by windows > what was seen and given back does not count as more',
    kitCase: 'a device that asked to be notified misses no chain, and what it suppresses stays suppressed',
  },
  {
    name: 'packed recall, broken',
    flaw: 'a broken queue recalls chains',
    edits: [
      [
        "if (this.broken !== null || typeof chain === 'number') return EINVAL",
        "if (typeof chain === 'number') return EINVAL",
      ],
    ],
    killedBy: 'what is no chain is refused, and breaks nothing > a queue that is broken',
    kitCase:
      'a chain that was taken before is recalled as it was; what is none is refused, and the queue not broken by it',
  },
])
