import { mutantsOf, type RingMutant } from './ring-mutant.ts'

/** Mutants of `packed-notifications.ts`. */
export const packedNotificationsMutants: readonly RingMutant[] = mutantsOf('packed/packed-notifications.ts', [
  {
    name: 'packed event in halves',
    flaw: 'the driver can see flags that belong to another offset',
    edits: [
      [
        '    const status = this.device.store32(PACKED_EVENT_OFF_WRAP_OFFSET, (offWrap | (flags << 16)) >>> 0)\n',
        '    this.device.store16(PACKED_EVENT_OFF_WRAP_OFFSET, offWrap)\n    const status = this.device.store16(PACKED_EVENT_FLAGS_OFFSET, flags)\n',
      ],
    ],
    killedBy:
      'packed > by windows > a full barrier stands between asking for notification and the second look, which is an acquire',
    kitCase: 'a full barrier stands before the look at what the driver asks for, and before the second look',
  },
  {
    name: 'packed event wrap of the device',
    flaw: 'the wrap counter of the event is left out',
    edits: [['const offWrap = slot | (wrap << 15)', 'const offWrap = slot']],
    killedBy:
      'a packed ring by windows > virtio 1.3 2.8.14 kicks are suppressed and asked for again by a descriptor event, and nothing is lost between',
    kitCase: 'a device that asked to be notified misses no chain, and what it suppresses stays suppressed',
  },
  {
    name: 'packed event kind',
    flaw: 'a descriptor event is asked for without VIRTIO_F_EVENT_IDX',
    edits: [
      [
        'const flags = this.eventIdx ? RING_EVENT_FLAGS_DESC : RING_EVENT_FLAGS_ENABLE',
        'const flags = RING_EVENT_FLAGS_DESC',
      ],
    ],
    killedBy:
      'a packed ring by windows > virtio 1.3 2.8.10 without EVENT_IDX a descriptor event is neither asked for nor believed',
    kitCase: 'a device that asked to be notified misses no chain, and what it suppresses stays suppressed',
  },
  {
    name: 'packed flags say no',
    flaw: 'RING_EVENT_FLAGS_DISABLE is not looked at',
    edits: [['if (flags === RING_EVENT_FLAGS_DISABLE) return 0', '']],
    killedBy:
      'a packed ring by windows > virtio 1.3 2.8.10 the driver is notified by its flags, and with a descriptor event only by the step over it',
    kitCase: 'a driver that asks for none gets none, and without EVENT_IDX its flags alone count',
  },
  {
    name: 'packed event index',
    flaw: 'the driver is notified of everything',
    edits: [
      ['return needEvent(position & 0xffff, nextUsed & 0xffff, (nextUsed - published) & 0xffff) ? 1 : 0', 'return 1'],
    ],
    killedBy:
      'a packed ring by windows > virtio 1.3 2.8.10 the driver is notified by its flags, and with a descriptor event only by the step over it',
    kitCase: 'the driver is notified of the step over its event, also one of another lap, and of nothing else',
  },
  {
    name: 'packed event wrap of the driver',
    flaw: 'the event of the lap before is taken for one of this lap',
    edits: [
      [
        'const position = ((event >>> 15) & 1) === usedWrap ? offset : offset - this.queueSize',
        'const position = offset',
      ],
    ],
    killedBy:
      'a packed ring by windows > virtio 1.3 2.8.10 an event of the lap before is met by a batch that goes over the end of the ring',
    kitCase: 'the driver is notified of the step over its event, also one of another lap, and of nothing else',
  },
  {
    name: 'packed event not negotiated',
    flaw: 'a descriptor event is believed without VIRTIO_F_EVENT_IDX',
    edits: [
      [
        'if (flags !== RING_EVENT_FLAGS_DESC || !this.eventIdx) return 1',
        'if (flags !== RING_EVENT_FLAGS_DESC) return 1',
      ],
    ],
    killedBy:
      'a packed ring by windows > virtio 1.3 2.8.10 without EVENT_IDX a descriptor event is neither asked for nor believed',
    kitCase: 'a driver that asks for none gets none, and without EVENT_IDX its flags alone count',
  },
  {
    name: 'packed log of flags',
    flaw: 'flags of the event suppression structure are not in the migration log',
    edits: [["    if (status === 0) this.log?.write('device', PACKED_EVENT_FLAGS_OFFSET, 2)\n", '']],
    killedBy: 'a packed ring by windows > every write of the ring is in the migration log, found by area',
    kitCase: 'each byte that a ring changes is in the migration log, after it was stored and outside of every hold',
  },
  {
    name: 'packed log of the event',
    flaw: 'the event suppression structure is not in the migration log',
    edits: [["    if (status === 0) this.log?.write('device', 0, PACKED_EVENT_BYTES)\n", '']],
    killedBy:
      'packed > by windows > every store is in memory before it is in the migration log, and no log is kept inside a hold',
    kitCase: 'each byte that a ring changes is in the migration log, after it was stored and outside of every hold',
  },
])
