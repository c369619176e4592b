import { mutantsOf, type RingMutant } from './ring-mutant.ts'

/** Mutants of `split-notifications.ts`. */
export const splitNotificationsMutants: readonly RingMutant[] = mutantsOf('split/split-notifications.ts', [
  {
    name: 'split flags say no',
    flaw: 'VIRTQ_AVAIL_F_NO_INTERRUPT is not looked at',
    edits: [['return (flags & VIRTQ_AVAIL_F_NO_INTERRUPT) === 0 ? 1 : 0', 'return 1']],
    killedBy:
      'a split ring by windows > notifications > virtio 1.3 2.7.7.1 without EVENT_IDX the flag in avail decides',
    kitCase:
      'a split driver is notified at first, after 65536 chains, and where it asked for it when the device ran out',
  },
  {
    name: 'split event index',
    flaw: 'the driver is notified of everything',
    edits: [['return needEvent(event, usedIdx, oldIdx) ? 1 : 0', 'return 1']],
    killedBy:
      'a split ring by windows > notifications > virtio 1.3 2.7.7.2 with EVENT_IDX only the step over used_event notifies',
    kitCase: 'the driver is notified of the step over its event, also one of another lap, and of nothing else',
  },
  {
    name: 'split event off by one',
    flaw: 'the step over used_event is looked for one element late',
    edits: [['needEvent(event, usedIdx', 'needEvent((event + 1) & 0xffff, usedIdx']],
    killedBy:
      'a split ring by windows > notifications > virtio 1.3 2.7.7.2 with EVENT_IDX only the step over used_event notifies',
    kitCase: 'the driver is notified of the step over its event, also one of another lap, and of nothing else',
  },
  {
    name: 'split first notification',
    flaw: 'used_event is believed before anything was signalled',
    edits: [['if (!valid) return 1', '']],
    killedBy:
      'a split ring by windows > notifications > virtio 1.3 2.7.7.2 with EVENT_IDX only the step over used_event notifies',
    kitCase:
      'a split driver is notified at first, after 65536 chains, and where it asked for it when the device ran out',
  },
  {
    name: 'split event 65536 back',
    flaw: 'used_event is compared with an index of another lap',
    edits: [['if (((usedIdx - this.signalledUsed) & 0xffff) < count) this.signalledUsedValid = false', '']],
    killedBy:
      'a split ring by windows > notifications > the driver is notified when 65536 chains were used since it was last asked: its event may lie anywhere',
    kitCase:
      'a split driver is notified at first, after 65536 chains, and where it asked for it when the device ran out',
  },
  {
    name: 'split avail event',
    flaw: 'avail_event asks for what was seen already',
    edits: [
      [
        'this.store(availEventOffset(this.queueSize), seen)',
        'this.store(availEventOffset(this.queueSize), (seen - 1) & 0xffff)',
      ],
    ],
    killedBy:
      'a split ring by windows > notifications > kicks are suppressed and asked for again through avail_event, and nothing is lost between',
    kitCase: 'a device that asked to be notified misses no chain, and what it suppresses stays suppressed',
  },
  {
    name: 'split flags again',
    flaw: 'notifications stay off',
    edits: [[': this.store(USED_FLAGS_OFFSET, 0)', ': this.store(USED_FLAGS_OFFSET, VIRTQ_USED_F_NO_NOTIFY)']],
    killedBy:
      'a split ring by windows > notifications > kicks are suppressed and asked for again through flags, and nothing is lost between',
    kitCase: 'a device that asked to be notified misses no chain, and what it suppresses stays suppressed',
  },
  {
    name: 'split flags off',
    flaw: 'notifications are not turned off',
    edits: [['return this.eventIdx ? 0 : this.store(USED_FLAGS_OFFSET, VIRTQ_USED_F_NO_NOTIFY)', 'return 0']],
    killedBy:
      'a split ring by windows > notifications > kicks are suppressed and asked for again through flags, and nothing is lost between',
    kitCase: 'a device that asked to be notified misses no chain, and what it suppresses stays suppressed',
  },
  {
    name: 'split log of flags',
    flaw: 'flags and events are not in the migration log',
    edits: [["    if (status === 0) this.log?.write('device', offset, 2)\n", '']],
    killedBy:
      'split > by windows > every store is in memory before it is in the migration log, and no log is kept inside a hold',
    kitCase: 'each byte that a ring changes is in the migration log, after it was stored and outside of every hold',
  },
])
