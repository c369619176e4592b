import {
  featureSet,
  VHOST_F_LOG_ALL,
  VHOST_USER_F_PROTOCOL_FEATURES,
  VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_RING_RESET,
  VIRTIO_F_VERSION_1,
} from '@vring/layout'
import { ACCESS_READ } from '@vring/memory'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FAKE_MEMORY_BYTES } from '../test/counting-host.ts'
import { RecyclingDevice } from '../test/recycling-device.ts'
import { region, SessionPair } from '../test/session-pair.ts'
import { encodeMessage, FLAG_NEED_REPLY, FLAG_REPLY, HEADER_BYTES } from './header.ts'
import { MESSAGES, type RequestName } from './messages.ts'
import {
  IOTLB_INVALIDATE,
  IOTLB_UPDATE,
  type IotlbPayload,
  iotlb,
  memoryTable,
  singleRegion,
  u64,
  vringState,
} from './payload.ts'
import {
  PROTOCOL_F_BACKEND_REQ,
  PROTOCOL_F_CONFIGURE_MEM_SLOTS,
  PROTOCOL_F_INBAND_NOTIFICATIONS,
  PROTOCOL_F_LOG_SHMFD,
  PROTOCOL_F_MQ,
  PROTOCOL_F_REPLY_ACK,
  PROTOCOL_F_RESET_DEVICE,
  PROTOCOL_F_STATUS,
} from './protocol-features.ts'
import type { Refusal } from './refusal.ts'

const ALL = [
  PROTOCOL_F_MQ,
  PROTOCOL_F_LOG_SHMFD,
  PROTOCOL_F_REPLY_ACK,
  PROTOCOL_F_RESET_DEVICE,
  PROTOCOL_F_CONFIGURE_MEM_SLOTS,
  PROTOCOL_F_STATUS,
]

describe('the session of a backend', () => {
  test('negotiates, maps memory, starts a ring and gives everything back when the frontend hangs up', () => {
    const pair = new SessionPair().negotiate(ALL).start(1, 7)
    expect(pair.session.error).toBeNull()
    expect(pair.session.activeQueues).toEqual([1])
    expect(pair.device.calls).toEqual(['start 1 at 7', 'enable 1'])
    expect(pair.session.memory.buffers.resolve(0x100, 16, ACCESS_READ)).toBe(0x100)
    pair.frontend.close()
    expect(pair.session.poll()).toBe('closed')
    expect(pair.session.error).toBeNull()
    expect(pair.device.calls.at(-1)).toBe('stop 1 at 7')
    expect(pair.leaks()).toEqual([])
  })

  test('answers what is always answered', () => {
    const pair = new SessionPair().negotiate(ALL)
    expect(pair.send('GET_QUEUE_NUM', null)).toEqual(['GET_QUEUE_NUM reply 0x1'])
    expect(pair.send('GET_MAX_MEM_SLOTS', null)).toEqual(['GET_MAX_MEM_SLOTS reply 0x1fd'])
    expect(pair.send('SET_STATUS', 0xfn)).toEqual([])
    expect(pair.send('GET_STATUS', null)).toEqual(['GET_STATUS reply 0xf'])
  })

  test('acknowledges when REPLY_ACK is negotiated and asked for, and not otherwise', () => {
    const silent = new SessionPair().negotiate([PROTOCOL_F_MQ])
    expect(silent.send('SET_VRING_NUM', { index: 0, num: 16 }, [], true)).toEqual([])
    const pair = new SessionPair().negotiate(ALL)
    expect(pair.send('SET_VRING_NUM', { index: 0, num: 16 }, [])).toEqual([])
    expect(pair.send('SET_VRING_NUM', { index: 0, num: 16 }, [], true)).toEqual(['SET_VRING_NUM reply ack=0'])
  })

  test('answers a refused request with a failure and lives on; without an answer to give it hangs up', () => {
    const pair = new SessionPair().negotiate(ALL)
    expect(pair.send('SET_VRING_NUM', { index: 0, num: 3 }, [], true)).toEqual(['SET_VRING_NUM reply ack=1'])
    expect(pair.session.closed).toBe(false)
    expect(pair.session.lastRefusal?.message).toContain('queue size is 3; accepted: a power of two')
    pair.send('SET_VRING_ENABLE', { index: 0, num: 2 })
    expect(pair.session.closed).toBe(true)
    expect(pair.session.error?.code).toBe('ERR_OUT_OF_RANGE')
  })

  test('GET_VRING_BASE stops the ring and says where; a new kick starts it from there', () => {
    const pair = new SessionPair().negotiate(ALL).start(0, 5)
    const ring = pair.device.rings.get(0)!
    ring.nextAvail = 9
    expect(pair.send('GET_VRING_BASE', { index: 0, num: 0 })).toEqual(['GET_VRING_BASE reply index=0 num=9'])
    expect(pair.session.activeQueues).toEqual([])
    pair.send('SET_VRING_KICK', { index: 0, hasFd: true }, [pair.host.file('event')])
    expect(pair.device.calls.at(-2)).toBe('start 0 at 9')
  })

  test('a ring outside the memory table is refused, and its descriptor closed', () => {
    const pair = new SessionPair().negotiate(ALL)
    const desc = 2 ** 40 + FAKE_MEMORY_BYTES - 16
    pair.send('SET_VRING_NUM', { index: 0, num: 256 })
    // Nothing can be said of it before there is memory.
    pair.send('SET_VRING_ADDR', { index: 0, flags: 0, desc, avail: 2 ** 40, used: 2 ** 40 + 4096, log: 0 })
    pair.send('SET_MEM_TABLE', [region()], [pair.host.file('memory')])
    const kick = pair.host.file('event')
    expect(pair.send('SET_VRING_KICK', { index: 0, hasFd: true }, [kick], true)).toEqual(['SET_VRING_KICK reply ack=1'])
    expect(pair.host.open.has(kick)).toBe(false)
    expect(pair.device.calls).toEqual([])
  })

  test('misaligned areas and a ring number out of range are refused', () => {
    const pair = new SessionPair().negotiate(ALL).start(0)
    const at = 2 ** 40
    const address = { index: 0, flags: 0, desc: at + 8, avail: at + 0x1000, used: at + 0x2000, log: 0 }
    expect(pair.send('SET_VRING_ADDR', address, [], true)).toEqual(['SET_VRING_ADDR reply ack=1'])
    expect(pair.session.lastRefusal?.code).toBe('ERR_MISALIGNED')
    // Refused is not half done: the ring runs where it was, and its address is what it was.
    expect(pair.session.activeQueues).toEqual([0])
    expect(pair.session.vrings[0]!.address?.desc).toBe(at + 0x1_0000)
    expect(pair.send('SET_VRING_NUM', { index: 2, num: 16 }, [], true)).toEqual(['SET_VRING_NUM reply ack=1'])
    expect(pair.session.lastRefusal?.message).toContain('queue index is 2; accepted: 0 to 1')
  })

  test('a bad size or address without need_reply breaks its ring; the others and the connection go on, a good one mends it', () => {
    for (const [name, payload, message] of [
      ['SET_VRING_NUM', { index: 1, num: 12 }, 'queue size is 12'],
      ['SET_VRING_NUM', { index: 1, num: 0 }, 'queue size is 0'],
      ['SET_VRING_ADDR', { desc: 8 }, 'is 1099511758856; accepted: a multiple of 16'],
      ['SET_VRING_ADDR', { used: 2 ** 41 }, 'accepted: inside the memory table'],
      ['SET_VRING_ADDR', { desc: 2 ** 53 - 16 }, 'accepted: an address from 0 to'],
    ] as const) {
      const refusals: Refusal[] = []
      const pair = new SessionPair(new RecyclingDevice(), { onRefusal: (one) => refusals.push(one) })
      const error = pair.host.file('event')
      pair.negotiate(ALL).start(0)
      pair.send('SET_VRING_ERR', { index: 1, hasFd: true }, [error])
      const at = 2 ** 40 + 0x2_0000
      const good = { index: 1, flags: 0, desc: at, avail: at + 0x1000, used: at + 0x2000, log: 0 }
      pair.send('SET_VRING_NUM', { index: 1, num: 16 })
      pair.send('SET_VRING_ADDR', good)
      if (name === 'SET_VRING_NUM') pair.send(name, payload)
      else pair.send(name, { ...good, ...('desc' in payload && payload.desc === 8 ? { desc: at + 8 } : payload) })
      pair.send('SET_VRING_KICK', { index: 1, hasFd: true }, [pair.host.file('event')])
      expect([pair.session.closed, pair.session.activeQueues]).toEqual([false, [0]])
      expect(refusals).toMatchObject([{ request: name, ends: 'ring' }])
      expect(refusals[0]!.error.message).toContain(message)
      expect(pair.session.vrings[1]!.refusal?.request).toBe(name)
      expect(pair.host.signals.get(error)).toBe(1)
      pair.send('GET_VRING_BASE', { index: 1, num: 0 })
      pair.start(1)
      expect([pair.session.activeQueues, pair.session.vrings[1]!.refusal]).toEqual([[0, 1], null])
    }
  })

  test('with need_reply a bad address is refused on its own message, before the ring is kicked', () => {
    const pair = new SessionPair().negotiate(ALL).start(0)
    const at = 2 ** 40 + 0x2_0000
    const good = { index: 1, flags: 0, desc: at, avail: at + 0x1000, used: at + 0x2000, log: 0 }
    pair.send('SET_VRING_NUM', { index: 1, num: 16 })
    for (const bad of [{ desc: at + 1 }, { used: 2 ** 41 }, { avail: at + 1 }])
      expect(pair.send('SET_VRING_ADDR', { ...good, ...bad }, [], true)).toEqual(['SET_VRING_ADDR reply ack=1'])
    expect(pair.send('SET_VRING_ADDR', good, [], true)).toEqual(['SET_VRING_ADDR reply ack=0'])
    expect(pair.session.activeQueues).toEqual([0])
  })

  test('the driver is forgotten alike, however its reset comes', () => {
    for (const reset of ['SET_STATUS', 'RESET_DEVICE', 'RESET_OWNER', 'hang-up'] as const) {
      let forgotten = 0
      const device = Object.assign(new RecyclingDevice(), { reset: () => void forgotten++ })
      const pair = new SessionPair(device).negotiate(ALL).start(0)
      if (reset === 'SET_STATUS') pair.send(reset, 0n)
      else if (reset === 'hang-up') pair.session.close()
      else pair.send(reset, null)
      expect([reset, forgotten, pair.session.vrings.some(({ running, enabled }) => running && enabled)]).toEqual([
        reset,
        1,
        false,
      ])
    }
  })

  test('a part of a file that is mapped already stays mapped when a table with it comes', () => {
    const pair = new SessionPair().negotiate(ALL).start(0)
    const file = pair.host.file('memory')
    const table = [region(0, 0x10_0000), { ...region(0x10_0000, 0x1_0000), mmapOffset: 0 }]
    let maps = 0
    const { mapMemory } = pair.host
    pair.host.mapMemory = (fd, offset, length) => {
      maps++
      return mapMemory.call(pair.host, fd, offset, length)
    }
    pair.host.fileIdentity = () => 'one file'
    pair.send('SET_MEM_TABLE', table, [file, pair.host.file('memory')])
    expect([maps, pair.host.mapped]).toEqual([2, 2])
    pair.send('SET_MEM_TABLE', [table[1]!, table[0]!], [pair.host.file('memory'), pair.host.file('memory')])
    expect([maps, pair.host.mapped]).toEqual([2, 2])
    // Refused as a whole: what was to be kept stays, what was mapped for it goes.
    pair.send(
      'SET_MEM_TABLE',
      [table[0]!, region(0x8_0000, 0x2_0000)],
      [pair.host.file('memory'), pair.host.file('memory')],
      true,
    )
    expect([maps, pair.host.mapped, pair.session.closed]).toEqual([3, 2, false])
    pair.send('SET_MEM_TABLE', [table[0]!], [pair.host.file('memory')])
    expect([maps, pair.host.mapped]).toEqual([3, 1])
    pair.session.close()
    expect(pair.leaks()).toEqual([])
  })

  test('a running ring keeps its size and base', () => {
    const pair = new SessionPair().negotiate(ALL).start(0)
    for (const name of ['SET_VRING_NUM', 'SET_VRING_BASE'] as const)
      expect(pair.send(name, { index: 0, num: 16 }, [], true)).toEqual([`${name} reply ack=1`])
    expect(pair.session.lastRefusal?.code).toBe('ERR_INVALID_STATE')
  })

  test('a memory table that overlaps, is longer than its file or lacks a descriptor changes nothing', () => {
    const pair = new SessionPair().negotiate(ALL).start(0)
    const files = () => [pair.host.file('memory'), pair.host.file('memory')]
    const ack = ['SET_MEM_TABLE reply ack=1']
    expect(pair.send('SET_MEM_TABLE', [region(), region(0x1000)], files(), true)).toEqual(ack)
    expect(pair.send('SET_MEM_TABLE', [region(), region(2 ** 21, 2 ** 21)], files(), true)).toEqual(ack)
    expect(pair.send('SET_MEM_TABLE', [region()], files(), true)).toEqual(ack)
    expect(pair.send('SET_MEM_TABLE', [region(), region(2 ** 53 - 1)], files(), true)).toEqual(ack)
    expect(pair.send('SET_MEM_TABLE', [region(0, 0)], [pair.host.file('memory')], true)).toEqual(ack)
    expect(pair.send('SET_MEM_TABLE', [region()], [pair.host.file('junk')], true)).toEqual(ack)
    expect(pair.session.memory.regions).toEqual([region()])
    expect(pair.host.mapped).toBe(1)
    expect(pair.session.activeQueues).toEqual([0])
  })

  test('a ring that loses its memory stops while the memory is still mapped, tells its error, and starts when it is back', () => {
    const pair = new SessionPair().negotiate(ALL)
    const error = pair.host.file('event')
    pair.send('SET_VRING_ERR', { index: 0, hasFd: true }, [error])
    pair.start(0)
    let mappedAtStop = 0
    const stop = pair.device.stopQueue.bind(pair.device)
    pair.device.stopQueue = (index) => {
      mappedAtStop = pair.host.mapped
      return stop(index)
    }
    pair.send('REM_MEM_REG', region())
    expect(mappedAtStop).toBe(1)
    expect(pair.host.mapped).toBe(0)
    expect(pair.host.signals.get(error)).toBe(1)
    expect(pair.session.activeQueues).toEqual([])
    pair.send('ADD_MEM_REG', region(), [pair.host.file('memory')])
    expect(pair.session.activeQueues).toEqual([0])
    expect(pair.session.error).toBeNull()
  })

  test('a region that is added for each queue pair goes when it was removed for each', () => {
    const pair = new SessionPair().negotiate(ALL).start(0)
    pair.send('REM_MEM_REG', region())
    const add = (one = region()): string[] => pair.send('ADD_MEM_REG', one, [pair.host.file('memory')], true)
    const remove = (): string[] => pair.send('REM_MEM_REG', region(), [], true)
    expect([...add(), ...add()]).toEqual(['ADD_MEM_REG reply ack=0', 'ADD_MEM_REG reply ack=0'])
    expect(pair.host.mapped).toBe(1)
    expect(pair.session.memory.regions).toHaveLength(1)
    // Another part of the file at the same addresses is another region.
    expect(add({ ...region(), mmapOffset: 4096 })).toEqual(['ADD_MEM_REG reply ack=1'])
    expect(remove()).toEqual(['REM_MEM_REG reply ack=0'])
    expect(pair.session.activeQueues).toEqual([0])
    expect(remove()).toEqual(['REM_MEM_REG reply ack=0'])
    expect(pair.host.mapped).toBe(0)
    expect(remove()).toEqual(['REM_MEM_REG reply ack=1'])
    pair.session.close()
    expect(pair.leaks()).toEqual([])
  })

  test('the datapath stands still while memory or a ring changes', () => {
    const device = new RecyclingDevice() as RecyclingDevice & { quiesce(): void; resume(): void }
    device.quiesce = () => void device.calls.push('quiesce')
    device.resume = () => void device.calls.push('resume')
    const pair = new SessionPair(device).negotiate(ALL).start(0)
    device.calls.length = 0
    pair.send('SET_MEM_TABLE', [], [])
    expect(device.calls).toEqual(['quiesce', 'stop 0 at 0', 'resume'])
  })

  test('the datapath stands still once for all requests of a look, and goes on when one of them ends the session', () => {
    const device = new RecyclingDevice() as RecyclingDevice & { quiesce(): void; resume(): void }
    device.quiesce = () => void device.calls.push('quiesce')
    device.resume = () => void device.calls.push('resume')
    const pair = new SessionPair(device).negotiate(ALL).start(0)
    const enable = (num: number): void => {
      pair.frontend.send(encodeMessage(MESSAGES.SET_VRING_ENABLE.id, 0, vringState.encode({ index: 0, num })), [])
    }
    device.calls.length = 0
    for (let i = 0; i < 20; i++) enable(i % 2)
    const toggled: string[] = []
    // A look ends by time, too.
    while (pair.session.poll() === 'handled') {
      const [first, ...rest] = device.calls.splice(0)
      expect([first, rest.pop()]).toEqual(['quiesce', 'resume'])
      toggled.push(...rest)
    }
    expect(toggled).toEqual(new Array(10).fill(['disable 0', 'enable 0']).flat())
    enable(2)
    expect(pair.session.poll()).toBe('closed')
    expect(device.calls).toEqual(['quiesce', 'stop 0 at 0', 'resume'])
    expect(pair.leaks()).toEqual([])
  })

  test('a log takes the writes when LOG_ALL is on, at once when it is switched while rings run', () => {
    const pair = new SessionPair().negotiate(ALL).start(0)
    expect(pair.send('SET_LOG_BASE', { size: 4096, offset: 0 }, [pair.host.file('memory')])).toEqual([
      'SET_LOG_BASE reply',
    ])
    const { dirtyLog } = pair.session.memory
    const beyond = 4096 * 8 * 4096
    expect(dirtyLog.write(beyond, 1)).toBe(0)
    pair.send('SET_FEATURES', pair.session.features | featureSet(VHOST_F_LOG_ALL))
    expect(dirtyLog.write(beyond, 1)).toBeLessThan(0)
    expect(pair.session.activeQueues).toEqual([0])
    pair.frontend.close()
    pair.session.poll()
    expect(dirtyLog.write(beyond, 1)).toBe(0)
    expect(pair.leaks()).toEqual([])
  })

  test('features that were not offered are refused', () => {
    const pair = new SessionPair()
    pair.send('SET_FEATURES', featureSet(VIRTIO_F_RING_RESET))
    expect(pair.session.error?.field).toBe('SET_FEATURES')
  })

  test('RESET_DEVICE stops the rings and forgets them; memory stays', () => {
    const pair = new SessionPair().negotiate(ALL).start(0)
    pair.send('RESET_DEVICE', null)
    expect(pair.session.activeQueues).toEqual([])
    expect(pair.session.vrings[0]!.size).toBe(0)
    expect(pair.session.memory.regions).toHaveLength(1)
    pair.negotiate(ALL).start(0)
    expect(pair.session.activeQueues).toEqual([0])
  })

  test('an IOTLB message needs ACCESS_PLATFORM', () => {
    const pair = new SessionPair().negotiate(ALL)
    const message = { iova: 0, size: 4096, userAddress: 0, permission: 3, type: IOTLB_UPDATE }
    expect(pair.send('IOTLB_MSG', message, [], true)).toEqual(['IOTLB_MSG reply ack=1'])
  })

  test('the device IOTLB takes updates and asks the frontend for what it misses', () => {
    const device = new RecyclingDevice()
    device.features |= featureSet(VIRTIO_F_ACCESS_PLATFORM)
    const pair = new SessionPair(device)
    pair.send('SET_PROTOCOL_FEATURES', featureSet(...ALL, PROTOCOL_F_BACKEND_REQ))
    pair.send('SET_FEATURES', device.features | featureSet(VHOST_USER_F_PROTOCOL_FEATURES))
    pair.start(0)
    const { iotlb } = device.rings.get(0)!.vring
    iotlb!.miss(0x5000, ACCESS_READ)
    expect(pair.host.sent).toHaveLength(0)
    // A question without a channel is asked as soon as there is one, and again when it is another.
    for (const asked of [1, 2]) {
      pair.send('SET_BACKEND_REQ_FD', null, [pair.host.file('socket')])
      expect(pair.host.sent).toHaveLength(asked)
      expect(decodeIotlb(pair.host.sent[asked - 1]!)).toMatchObject({ iova: 0x5000, permission: 1, type: 1 })
    }
    iotlb!.miss(0x7000, ACCESS_READ)
    expect(decodeIotlb(pair.host.sent[2]!)).toMatchObject({ iova: 0x7000 })
    const entry = { iova: 0x5000, size: 4096, userAddress: 2 ** 40, permission: 3 }
    pair.send('IOTLB_MSG', { ...entry, type: IOTLB_UPDATE })
    expect(iotlb!.lookup(0x5fff)).toMatchObject({ uaddr: 2 ** 40 })
    pair.send('IOTLB_MSG', { ...entry, type: IOTLB_INVALIDATE })
    expect(iotlb!.lookup(0x5fff)).toBeNull()
    expect(pair.send('IOTLB_MSG', { ...entry, size: 0, type: IOTLB_UPDATE }, [], true)).toEqual([
      'IOTLB_MSG reply ack=1',
    ])
    expect(pair.send('IOTLB_MSG', { ...entry, type: 1 }, [], true)).toEqual(['IOTLB_MSG reply ack=1'])
    pair.session.close()
    expect(pair.leaks()).toEqual([])
  })

  test('a ring that was kicked starts with whatever was missing last', () => {
    const pair = new SessionPair()
    pair.send('SET_PROTOCOL_FEATURES', featureSet(...ALL))
    pair.send('SET_MEM_TABLE', [region()], [pair.host.file('memory')])
    const at = 2 ** 40
    const address = { flags: 0, desc: at, avail: at + 0x1000, used: at + 0x2000, log: 0 }
    for (const index of [0, 1]) {
      pair.send('SET_VRING_ADDR', { index, ...address })
      pair.send('SET_VRING_KICK', { index, hasFd: true }, [pair.host.file('event')])
    }
    pair.send('SET_VRING_NUM', { index: 0, num: 16 })
    expect(pair.session.activeQueues).toEqual([])
    pair.send('SET_FEATURES', pair.device.features | featureSet(VHOST_USER_F_PROTOCOL_FEATURES))
    expect(pair.session.activeQueues).toEqual([0])
    pair.send('SET_VRING_NUM', { index: 1, num: 16 })
    expect(pair.session.activeQueues).toEqual([0, 1])
  })

  test('a ring that can’t start is told by its error descriptor, and the memory that came is in use', () => {
    const pair = new SessionPair().negotiate(ALL)
    const error = pair.host.file('event')
    const at = 2 ** 40
    pair.send('SET_VRING_ADDR', { index: 0, flags: 0, desc: at + 4, avail: at + 0x1000, used: at + 0x2000, log: 0 })
    pair.send('SET_VRING_ERR', { index: 0, hasFd: true }, [error])
    pair.send('SET_VRING_KICK', { index: 0, hasFd: true }, [pair.host.file('event')])
    pair.send('SET_VRING_NUM', { index: 0, num: 16 })
    expect(pair.send('SET_MEM_TABLE', [region()], [pair.host.file('memory')], true)).toEqual([
      'SET_MEM_TABLE reply ack=0',
    ])
    expect(pair.host.signals.get(error)).toBeGreaterThan(0)
    expect(pair.session.activeQueues).toEqual([])
  })

  test('a device that throws when one ring stops keeps nothing of the others', () => {
    const device = new RecyclingDevice()
    const pair = new SessionPair(device).negotiate([]).start(0).start(1)
    const stopQueue = device.stopQueue.bind(device)
    device.stopQueue = (index) => {
      if (index === 0) throw new TypeError('a bug in a device')
      return stopQueue(index)
    }
    pair.session.close()
    expect(pair.session.error?.message).toContain('a bug in a device')
    expect(device.calls.at(-1)).toBe('stop 1 at 0')
    expect(pair.leaks()).toEqual([])
  })

  test('a device that throws costs its own session only', () => {
    const device = new RecyclingDevice()
    device.startQueue = () => {
      throw new TypeError('a bug in a device')
    }
    const pair = new SessionPair(device).negotiate([]).start(0)
    expect(pair.session.closed).toBe(true)
    expect(pair.session.error?.message).toContain('a bug in a device')
    expect(pair.leaks()).toEqual([])
  })
})

describe('traps of the specification', () => {
  test('1: INBAND_NOTIFICATIONS without BACKEND_REQ and REPLY_ACK closes the connection, acknowledgement or not', () => {
    const pair = new SessionPair().negotiate([PROTOCOL_F_REPLY_ACK])
    pair.send('SET_PROTOCOL_FEATURES', featureSet(PROTOCOL_F_INBAND_NOTIFICATIONS), [], true)
    expect(pair.session.closed).toBe(true)
  })

  test('2: the descriptor of REM_MEM_REG is closed and not used', () => {
    const pair = new SessionPair().negotiate(ALL).start(0)
    const fd = pair.host.file('junk')
    expect(pair.send('REM_MEM_REG', region(), [fd], true)).toEqual(['REM_MEM_REG reply ack=0'])
    expect(pair.host.open.has(fd)).toBe(false)
    expect(pair.host.mapped).toBe(0)
  })

  test('3: RESET_OWNER disables the rings and resets nothing else', () => {
    const pair = new SessionPair().negotiate(ALL).start(0)
    pair.send('RESET_OWNER', null)
    expect(pair.device.calls.at(-1)).toBe('disable 0')
    expect(pair.session.activeQueues).toEqual([0])
    expect(pair.session.memory.regions).toHaveLength(1)
  })

  test('4: SET_VRING_BASE sets the avail index; the used index is read from the ring', () => {
    const pair = new SessionPair().negotiate(ALL)
    pair.send('SET_MEM_TABLE', [region()], [pair.host.file('memory')])
    const { space } = pair.session.memory
    const usedIdx = space.resolve(2 ** 40 + 0x1_2002, 2, ACCESS_READ)
    space.view.u16[usedIdx >> 1] = 777
    pair.start(0, 42)
    expect(pair.device.rings.get(0)).toMatchObject({ nextAvail: 42, usedIdx: 777 })
  })

  test('5: without PROTOCOL_FEATURES rings begin enabled, with it disabled', () => {
    const legacy = new SessionPair().negotiate([], true).start(0)
    expect(legacy.device.calls).toEqual(['start 0 at 0', 'enable 0'])
    expect(legacy.send('SET_VRING_ENABLE', { index: 0, num: 0 })).toEqual([])
    expect(legacy.session.closed).toBe(true)
    const pair = new SessionPair().negotiate(ALL).start(0)
    pair.send('SET_VRING_ENABLE', { index: 0, num: 0 })
    pair.send('GET_VRING_BASE', { index: 0, num: 0 })
    pair.send('SET_VRING_KICK', { index: 0, hasFd: true }, [pair.host.file('event')])
    expect(pair.device.calls.at(-1)).toBe('start 0 at 0')
    expect(pair.session.vrings[0]!.enabled).toBe(false)
  })

  test('5: a ring that QEMU enables before features are acknowledged is enabled when it starts', () => {
    const pair = new SessionPair()
    pair.send('SET_VRING_ENABLE', { index: 0, num: 1 })
    expect(pair.session.vrings[0]!.enabled).toBe(true)
    pair.negotiate(ALL).start(0)
    expect(pair.device.calls).toEqual(['start 0 at 0', 'enable 0'])
  })

  test('6: protocol features are negotiated before SET_FEATURES', () => {
    const pair = new SessionPair()
    expect(pair.send('GET_PROTOCOL_FEATURES', null)[0]).toMatch(/^GET_PROTOCOL_FEATURES reply 0x/)
    pair.send('SET_PROTOCOL_FEATURES', featureSet(PROTOCOL_F_REPLY_ACK))
    expect(pair.session.closed).toBe(false)
    expect(pair.session.protocolFeatures).toBe(featureSet(PROTOCOL_F_REPLY_ACK))
  })

  test('7: with all rings stopped the device touches nothing', () => {
    const pair = new SessionPair().negotiate(ALL).start(0).start(1)
    for (const index of [0, 1]) pair.send('GET_VRING_BASE', { index, num: 0 })
    expect(pair.session.activeQueues).toEqual([])
    expect(pair.device.rings.size).toBe(0)
  })

  test('8: an inflight area is not on offer of a device that notes nothing in it, and asking for one is refused', () => {
    const pair = new SessionPair().negotiate(ALL)
    const asked = { size: 0, offset: 0, queueCount: 1, queueSize: 16 }
    expect(pair.send('GET_INFLIGHT_FD', asked, [], true)).toEqual([
      'GET_INFLIGHT_FD reply 0100000000000000 (no inflight area)',
    ])
    expect(pair.session.closed).toBe(false)
  })

  test('9: SET_LOG_BASE is answered without REPLY_ACK', () => {
    const pair = new SessionPair().negotiate([PROTOCOL_F_LOG_SHMFD])
    expect(pair.send('SET_LOG_BASE', { size: 4096, offset: 0 }, [pair.host.file('memory')])).toEqual([
      'SET_LOG_BASE reply',
    ])
  })

  test('9: SET_LOG_BASE with need_reply is answered by a status, as every request is', () => {
    const pair = new SessionPair().negotiate(ALL)
    const send = (size: number): string[] =>
      pair.send('SET_LOG_BASE', { size, offset: 0 }, [pair.host.file('memory')], true)
    expect(send(4096)).toEqual(['SET_LOG_BASE reply ack=0'])
    expect(send(2 ** 42)).toEqual(['SET_LOG_BASE reply ack=1'])
    expect([pair.session.closed, pair.session.refusals]).toEqual([false, 1])
  })

  test('10: bit 8 says that no descriptor comes: the ring is polled', () => {
    const pair = new SessionPair().negotiate(ALL).start(0)
    pair.send('GET_VRING_BASE', { index: 0, num: 0 })
    pair.send('SET_VRING_KICK', { index: 0, hasFd: false })
    expect(pair.session.vrings[0]).toMatchObject({ running: true, polled: true, kick: null })
    expect(pair.send('SET_VRING_KICK', { index: 0, hasFd: true }, [], true)).toEqual(['SET_VRING_KICK reply ack=1'])
    const fd = pair.host.file('event')
    expect(pair.send('SET_VRING_CALL', { index: 0, hasFd: false }, [fd], true)).toEqual(['SET_VRING_CALL reply ack=1'])
    expect(pair.host.open.has(fd)).toBe(false)
  })
})

describe('malformed messages', () => {
  test('an unknown request is refused, a wrong version, an oversized payload and a cut stream end the session', () => {
    const unknown = new SessionPair().negotiate(ALL)
    expect(unknown.raw(encodeMessage(99, FLAG_NEED_REPLY, new Uint8Array(8)))).toHaveLength(1)
    expect(unknown.session.closed).toBe(false)

    const version = new SessionPair()
    version.raw(Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0))
    expect(version.session.error?.message).toContain('version is 2; accepted: 1')

    const oversized = new SessionPair()
    oversized.raw(Uint8Array.of(2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1))
    expect(oversized.session.error?.field).toBe('payload size')

    const cut = new SessionPair()
    const fd = cut.host.file('event')
    cut.raw(encodeMessage(8, 0, vringState.encode({ index: 0, num: 16 })).subarray(0, 15), [fd])
    expect(cut.session.closed).toBe(false)
    cut.frontend.close()
    cut.session.poll()
    expect(cut.session.error?.message).toContain('inside a message')
    expect(cut.leaks()).toEqual([])
  })

  test('a message that comes byte by byte is one message', () => {
    const pair = new SessionPair()
    const bytes = encodeMessage(MESSAGES.GET_FEATURES.id, 0, new Uint8Array(0))
    const replies = Array.from(bytes, (byte) => pair.raw(Uint8Array.of(byte)))
    expect(replies.flat()).toHaveLength(1)
    expect(replies.at(-1)).toHaveLength(1)
  })

  test('a reply is no request, and descriptors beyond the policy are refused and closed', () => {
    const reply = new SessionPair()
    reply.raw(encodeMessage(MESSAGES.SET_FEATURES.id, FLAG_REPLY, u64.encode(0n)))
    expect(reply.session.error?.message).toContain('a request, not a reply')
    const pair = new SessionPair()
    pair.send('SET_FEATURES', 0n, [pair.host.file('event'), pair.host.file('junk')])
    expect(pair.session.error?.message).toContain('SET_FEATURES descriptors is 2; accepted: 0')
    expect(pair.leaks()).toEqual([])
  })

  test('descriptors that come with every byte of one message end the session before they are many', () => {
    const pair = new SessionPair()
    const bytes = encodeMessage(MESSAGES.SET_MEM_TABLE.id, 0, new Uint8Array(8))
    for (const byte of bytes) {
      if (pair.session.closed) break
      pair.raw(
        Uint8Array.of(byte),
        Array.from({ length: 5 }, () => pair.host.file('event')),
      )
      expect(pair.host.open.size).toBeLessThanOrEqual(8)
    }
    expect(pair.session.error?.message).toBe('descriptors is 10; accepted: at most 8 with a message')
    expect(pair.leaks()).toEqual([])
  })

  test('a dirty log of terabytes is refused before it is mapped', () => {
    const pair = new SessionPair().negotiate(ALL)
    let asked = 0
    const map = pair.host.mapMemory.bind(pair.host)
    pair.host.mapMemory = (...args) => {
      asked++
      return map(...args)
    }
    pair.send('SET_LOG_BASE', { size: 2 ** 42, offset: 0 }, [pair.host.file('memory')])
    expect(pair.session.error?.message).toBe('log size is 4398046511104; accepted: at most 536870912')
    expect([asked, pair.leaks()]).toEqual([0, []])
  })

  test('whatever arrives, the session does not throw, and gives back every descriptor and mapping', () => {
    const names = Object.keys(MESSAGES) as RequestName[]
    const small = fc.oneof(fc.bigInt({ min: 0n, max: 32n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
    const address = fc.integer({ min: 0, max: 0x400 }).map((page) => 2n ** 40n + 0x400n * BigInt(page))
    const words = fc.array(fc.oneof(small, address), { maxLength: 6 }).map((values) => {
      const bytes = new Uint8Array(8 * values.length)
      for (const [index, value] of values.entries()) new DataView(bytes.buffer).setBigUint64(8 * index, value, true)
      return bytes
    })
    const page = fc.integer({ min: 0, max: 0x200 }).map((index) => 0x1000 * index)
    const anyRegion = fc.tuple(page, page).map(([guestAddress, size]) => region(guestAddress, size))
    const tables = fc.array(anyRegion, { maxLength: 3 }).map((regions) => memoryTable.encode(regions))
    const payload = (name: RequestName): fc.Arbitrary<Uint8Array> => {
      if (name === 'SET_MEM_TABLE') return tables
      if (name === 'ADD_MEM_REG') return anyRegion.map((one) => singleRegion.encode(one))
      const [least] = MESSAGES[name].request.bytes
      return fc.oneof(
        { weight: 4, arbitrary: words.map((bytes) => bytes.slice(0, least)) },
        { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
      )
    }
    const files = fc.array(fc.constantFrom('event', 'memory', 'socket', 'junk'), { maxLength: 3 })
    const message = fc
      .constantFrom(...names)
      .chain((name) =>
        fc.tuple(
          fc.constant(MESSAGES[name].id),
          fc.constantFrom(0, FLAG_NEED_REPLY, FLAG_NEED_REPLY, FLAG_REPLY),
          payload(name),
          files,
        ),
      )
    fc.assert(
      fc.property(fc.array(message, { maxLength: 30 }), fc.boolean(), (messages, started) => {
        const pair = new SessionPair().negotiate(ALL)
        if (started) pair.start(0).start(1)
        for (const [id, flags, bytes, kinds] of messages) {
          if (pair.session.closed) break
          pair.raw(
            encodeMessage(id, flags, bytes),
            kinds.map((kind) => pair.host.file(kind)),
          )
          for (const index of pair.session.activeQueues) pair.device.serveQueue(index)
        }
        pair.frontend.close()
        expect(pair.session.poll()).toBe('closed')
        expect(pair.leaks()).toEqual([])
        expect(pair.device.rings.size).toBe(0)
        expect(pair.session.memory.space.regions).toEqual([])
      }),
      { numRuns: 300 },
    )
  })
})

/** An IOTLB message after its header. */
function decodeIotlb(bytes: Uint8Array): IotlbPayload {
  return iotlb.decode(new DataView(bytes.buffer, HEADER_BYTES))
}

test('features on offer are the device’s, with protocol features and logging', () => {
  const pair = new SessionPair()
  const expected = featureSet(VIRTIO_F_VERSION_1, VHOST_USER_F_PROTOCOL_FEATURES, VHOST_F_LOG_ALL)
  expect(pair.send('GET_FEATURES', null)).toEqual([`GET_FEATURES reply 0x${expected.toString(16)}`])
})
