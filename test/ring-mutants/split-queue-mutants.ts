import { mutantsOf, type RingMutant } from './ring-mutant.ts'

/** Mutants of `split-device-queue.ts`. */
export const splitQueueMutants: readonly RingMutant[] = mutantsOf('split/split-device-queue.ts', [
  {
    name: 'split acquire, lease',
    flaw: 'avail.idx is loaded without acquire',
    edits: [['return this.cpu.load16Acquire(lease.driver16', 'return this.cpu.load16(lease.driver16']],
    killedBy:
      'split > by lease > what makes chains available is loaded before the chains, with acquire or a read barrier, and nothing else is ordered',
    kitCase:
      'what makes chains available is loaded first, with acquire or a read barrier; the rest follows, unordered and once',
  },
  {
    name: 'split acquire, windows',
    flaw: 'avail.idx is loaded without acquire',
    edits: [['this.see(held === null ? this.driver.load16Acquire(', 'this.see(held === null ? this.driver.load16(']],
    killedBy:
      'split > by windows > what makes chains available is loaded before the chains, with acquire or a read barrier, and nothing else is ordered',
    kitCase:
      'what makes chains available is loaded first, with acquire or a read barrier; the rest follows, unordered and once',
  },
  {
    name: 'split acquire, second look',
    flaw: 'avail.idx is loaded without acquire after notifications were asked for',
    edits: [
      [
        'const ready = this.see(this.driver.load16Acquire(AVAIL_IDX_OFFSET))\n    if (ready < 0) return ready',
        'const ready = this.see(this.driver.load16(AVAIL_IDX_OFFSET))\n    if (ready < 0) return ready',
      ],
    ],
    killedBy:
      'split > by windows > a full barrier stands between asking for notification and the second look, which is an acquire',
    kitCase: 'a full barrier stands before the look at what the driver asks for, and before the second look',
  },
  {
    name: 'split barrier before the event',
    flaw: 'the event word is loaded before used.idx is visible',
    edits: [['    this.cpu.mb()\n    if (this.notifyOnEmpty', '    if (this.notifyOnEmpty']],
    killedBy: 'split > by windows > a full barrier stands between publishing and the look at what the driver asked for',
    kitCase: 'a full barrier stands before the look at what the driver asks for, and before the second look',
  },
  {
    name: 'split barrier before the second look',
    flaw: 'avail.idx is loaded before the driver sees what was asked',
    edits: [['    this.cpu.mb()\n    const ready', '    const ready']],
    killedBy:
      'split > by windows > a full barrier stands between asking for notification and the second look, which is an acquire',
    kitCase: 'a full barrier stands before the look at what the driver asks for, and before the second look',
  },
  {
    name: 'split index jump',
    flaw: 'more chains than the ring has entries are taken',
    edits: [["if (ready + this.inFlight > this.queueSize) return this.latch('avail-idx-jump')", '']],
    killedBy:
      'a split ring by windows > a hostile driver breaks its queue and nothing else > avail.idx ahead by more than the queue size',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split pending chains',
    flaw: 'chains that wait to be published do not count',
    edits: [['if (ready + this.inFlight > this.queueSize)', 'if (ready > this.queueSize)']],
    killedBy:
      'a split ring by windows > a hostile driver breaks its queue and nothing else > more chains than the ring has entries, none of them used yet (CVE-2016-5403)',
    kitCase: 'chains before a malformed one are served first; a driver that gives more than the ring has gets nothing',
  },
  {
    name: 'split index fault',
    flaw: 'an avail.idx that can not be loaded is used',
    edits: [['if (availIdx < 0) return this.fault(availIdx)', 'if (availIdx < 0) return 0']],
    killedBy: 'split > by windows > popBatch breaks the queue when its memory is gone',
    kitCase: 'the second look after asking for notification fails as the first does',
  },
  {
    name: 'split hold bound',
    flaw: 'one hold reads a whole batch',
    edits: [['const end = limit - from > HOLD_CHAINS ? from + HOLD_CHAINS : limit', 'const end = limit']],
    killedBy: 'a hold of a split ring > reads at most 64 chains, and publishes at most as many',
    kitCase: 'one hold reads 64 chains at most, and publishes no more',
  },
  {
    name: 'split publish hold bound',
    flaw: 'one hold publishes whatever is pending',
    edits: [['stored <= HOLD_CHAINS && ', '']],
    killedBy: 'a hold of a split ring > reads at most 64 chains, and publishes at most as many',
    kitCase: 'one hold reads 64 chains at most, and publishes no more',
  },
  {
    name: 'split walk under hold',
    flaw: 'chains are walked while the lease is held',
    edits: [
      [
        '      const taken = reader.readByLease(lease, batch, nextAvail, from, end)\n',
        '      let taken = reader.readByLease(lease, batch, nextAvail, from, end)\n      if (taken < end) taken = reader.readByWindows(batch, nextAvail, taken, end)\n',
      ],
    ],
    killedBy: 'a hold of a split ring > touches the lease and nothing else, and what it gave is not touched after it',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
  {
    name: 'split hold without end',
    flaw: 'the lease stays held after the chains were read',
    edits: [['      lease.release(loaded, (from === 0 ? looks : 0) + loaded, 0)\n', '']],
    killedBy: 'a hold of a split ring > touches the lease and nothing else, and what it gave is not touched after it',
    kitCase: 'a ring reaches its memory by windows, or inside a hold and then by the lease alone',
  },
  {
    name: 'split second hold',
    flaw: 'the lease is used again without a hold',
    edits: [
      [
        'if (taken < end || taken >= limit || !lease.hold()) return taken',
        'if (taken < end || taken >= limit) return taken',
      ],
    ],
    killedBy: 'a hold of a split ring > reads at most 64 chains, and publishes at most as many',
    kitCase: 'one hold reads 64 chains at most, and publishes no more',
  },
  {
    name: 'split read without hold',
    flaw: 'chains are read through a lease that is not held',
    edits: [[' || !lease.hold() ? null : lease', ' ? null : lease']],
    killedBy: 'a hold of a split ring > touches the lease and nothing else, and what it gave is not touched after it',
    kitCase: 'a ring reaches its memory by windows, or inside a hold and then by the lease alone',
  },
  {
    name: 'split index after the hold',
    flaw: 'avail.idx is loaded from a lease that is not held',
    edits: [
      [
        'return this.cpu.load16Acquire(lease.driver16',
        'lease.release(0, 0, 0)\n    return this.cpu.load16Acquire(lease.driver16',
      ],
    ],
    killedBy: 'a hold of a split ring > touches the lease and nothing else, and what it gave is not touched after it',
    kitCase: 'a ring reaches its memory by windows, or inside a hold and then by the lease alone',
  },
  {
    name: 'split publish without hold',
    flaw: 'used elements are stored through a lease that is not held',
    edits: [['stored <= HOLD_CHAINS && lease.hold()', 'stored <= HOLD_CHAINS']],
    killedBy:
      'a split ring by lease > used ring > another accessor goes on with another queue, from the base of the one before',
    kitCase: 'a ring reaches its memory by windows, or inside a hold and then by the lease alone',
  },
  {
    name: 'split columns bound',
    flaw: 'a batch takes more chains than its columns hold',
    edits: [['const most = max < batch.entry.length ? max | 0 : batch.entry.length | 0', 'const most = max | 0']],
    killedBy: 'split > by lease > a batch takes no more than its columns hold',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
  {
    name: 'split broken: pop',
    flaw: 'a broken queue goes on taking chains',
    edits: [['    batch.begin()\n    if (this.broken !== null) return EINVAL\n', '    batch.begin()\n']],
    killedBy:
      'a split ring by windows > a hostile driver breaks its queue and nothing else > ring memory that goes away',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split broken: publish',
    flaw: 'a broken queue goes on publishing',
    edits: [['    if (this.broken !== null) return EINVAL\n    const slot', '    const slot']],
    killedBy:
      'a split ring by windows > a hostile driver breaks its queue and nothing else > avail.idx ahead by more than the queue size',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split broken: notify',
    flaw: 'a broken queue notifies',
    edits: [
      [
        '  needsNotification(): boolean {\n    if (this.broken !== null) return false\n',
        '  needsNotification(): boolean {\n',
      ],
    ],
    killedBy:
      'a split ring by windows > a hostile driver breaks its queue and nothing else > avail.idx ahead by more than the queue size',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split broken: disable',
    flaw: 'a broken queue stores flags',
    edits: [
      [
        'if (this.notifications.suppressed || this.broken !== null) return',
        'if (this.notifications.suppressed) return',
      ],
    ],
    killedBy:
      'a split ring by windows > a hostile driver breaks its queue and nothing else > avail.idx ahead by more than the queue size',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split broken: enable',
    flaw: 'a broken queue asks to be notified',
    edits: [
      [
        '  enableNotification(): number {\n    if (this.broken !== null) return EINVAL\n',
        '  enableNotification(): number {\n',
      ],
    ],
    killedBy: 'a split ring by windows > a hostile driver breaks its queue and nothing else > a head out of range',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split broken: more',
    flaw: 'a broken queue looks for more',
    edits: [['  hasMore(): number {\n    if (this.broken !== null) return EINVAL\n', '  hasMore(): number {\n']],
    killedBy: 'a split ring by windows > a hostile driver breaks its queue and nothing else > a head out of range',
    kitCase: 'a malformed ring of either format breaks for its reason, and is then left alone',
  },
  {
    name: 'split refusal latched',
    flaw: 'a malformed chain is refused again and again',
    edits: [['count === EAGAIN ? EAGAIN : this.latch(this.reader.refusal)', 'count']],
    killedBy:
      'a split ring by windows > a hostile driver breaks its queue and nothing else > chains before a bad one are worked off, then the queue breaks',
    kitCase: 'what lies on a page that is gone ends the batch before its chain, whatever part of it that is',
  },
  {
    name: 'split miss breaks',
    flaw: 'a missing translation breaks the queue',
    edits: [["if (status !== EAGAIN) this.latch('metadata-fault')", "this.latch('metadata-fault')"]],
    killedBy: 'split > by windows > a missing translation is asked for again, and nothing is lost or done twice',
    kitCase: 'a translation that is missing is asked for again by whatever needs it, and nothing is lost or done twice',
  },
  {
    name: 'split fault does not break',
    flaw: 'a ring that can not be reached does not break the queue',
    edits: [["if (status !== EAGAIN) this.latch('metadata-fault')", '']],
    killedBy: 'split > by windows > flush breaks the queue when its memory is gone',
    kitCase: 'nothing is published where a part of it can not be stored',
  },
  {
    name: 'split miss in a TX batch',
    flaw: 'chains that could not be published are forgotten',
    edits: [['if (status === EAGAIN) for (let chain = 0; chain < count; chain++) this.push(batch, chain, 0)', '']],
    killedBy: 'split > by windows > a missing translation is asked for again, and nothing is lost or done twice',
    kitCase: 'a translation that is missing is asked for again by whatever needs it, and nothing is lost or done twice',
  },
  {
    name: 'split notify on empty',
    flaw: 'VIRTIO_F_NOTIFY_ON_EMPTY is not kept',
    edits: [['if (this.notifyOnEmpty && this.availIdx === this.nextAvail) return true', '']],
    killedBy:
      'a split ring by windows > notifications > NOTIFY_ON_EMPTY notifies when the device ran out, whatever the flag says',
    kitCase:
      'a split driver is notified at first, after 65536 chains, and where it asked for it when the device ran out',
  },
  {
    name: 'split second look',
    flaw: 'a chain that came while notifications were asked for is not seen',
    edits: [['return this.availIdx === seen ? 0 : 1', 'return 0']],
    killedBy:
      'a split ring by windows > notifications > kicks are suppressed and asked for again through avail_event, and nothing is lost between',
    kitCase: 'a device that asked to be notified misses no chain, and what it suppresses stays suppressed',
  },
  {
    name: 'split in order, written',
    flaw: 'one element stands for buffers that were written',
    edits: [['const one = this.inOrder && batch.flags !== VIRTQ_DESC_F_WRITE', 'const one = this.inOrder']],
    killedBy:
      'split > by windows > in order, every buffer that the device may have written has a used element of its own',
    kitCase: 'in order, one used element stands for what was read, and each buffer that may be written has its own',
  },
  {
    name: 'split log',
    flaw: 'published elements are not in the migration log',
    edits: [['if (this.log !== null) publisher.logTo(this.log, slot, first, stored)', '']],
    killedBy:
      'split > by windows > every store is in memory before it is in the migration log, and no log is kept inside a hold',
    kitCase: 'each byte that a ring changes is in the migration log, after it was stored and outside of every hold',
  },
  {
    name: 'split log before data',
    flaw: 'the log is told before the elements are stored',
    edits: [
      [
        '    const { lease, publisher } = this\n    // More than',
        '    const { lease, publisher } = this\n    if (this.log !== null) publisher.logTo(this.log, slot, first, stored)\n    // More than',
      ],
      [
        '    if (this.log !== null) publisher.logTo(this.log, slot, first, stored)\n    this.notifications',
        '    this.notifications',
      ],
    ],
    killedBy:
      'split > by windows > every store is in memory before it is in the migration log, and no log is kept inside a hold',
    kitCase: 'each byte that a ring changes is in the migration log, after it was stored and outside of every hold',
  },
  {
    name: 'split used index taken over',
    flaw: 'a ring that is taken over begins at used index 0',
    edits: [['    this.usedIdx = used\n    this.nextAvail', '    this.usedIdx = 0\n    this.nextAvail']],
    killedBy: 'a split ring by windows > used ring > the used index of a ring that is taken over is read from it',
    kitCase: 'another queue goes on from the base of the one before; a base that no ring has is refused',
  },
  {
    name: 'split recall, broken',
    flaw: 'a broken queue recalls chains',
    edits: [
      [
        "if (this.broken !== null || typeof chain !== 'number') return EINVAL",
        "if (typeof chain !== 'number') return EINVAL",
      ],
    ],
    killedBy: 'what is no chain is refused, and breaks nothing > a queue that is broken',
    kitCase:
      'a chain that was taken before is recalled as it was; what is none is refused, and the queue not broken by it',
  },
])
