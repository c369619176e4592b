import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeMessage } from './decode-message.ts'
import { encodeMessage, FLAG_NEED_REPLY, FLAG_REPLY } from './header.ts'
import { MESSAGES, PAYLOAD_BYTES_MAX, type RequestName, requestLabel, requestName, unservedReason } from './messages.ts'
import {
  config,
  deviceState,
  IOTLB_INVALIDATE,
  IOTLB_UPDATE,
  inflight,
  iotlb,
  log,
  memoryTable,
  type PayloadCodec,
  singleRegion,
  u64,
  vringAddr,
  vringFd,
  vringState,
} from './payload.ts'

const number64 = fc.maxSafeNat()
const number32 = fc.nat({ max: 0xffff_ffff })
const memoryRegion = fc.record({
  guestAddress: number64,
  size: number64,
  userAddress: number64,
  mmapOffset: number64,
})

/** What is encoded decodes to itself, in a size that the codec accepts. */
function roundTrip<T>(codec: PayloadCodec<T>, values: fc.Arbitrary<T>): void {
  fc.assert(
    fc.property(values, (value) => {
      const bytes = codec.encode(value)
      expect(bytes.length).toBeGreaterThanOrEqual(codec.bytes[0])
      expect(bytes.length).toBeLessThanOrEqual(codec.bytes[1])
      expect(codec.decode(new DataView(bytes.buffer))).toEqual(value)
    }),
    { numRuns: 50 },
  )
}

describe('payloads', () => {
  test('decode to what was encoded', () => {
    roundTrip(u64, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
    roundTrip(vringState, fc.record({ index: number32, num: number32 }))
    const address = {
      index: number32,
      flags: fc.constant(1),
      desc: number64,
      used: number64,
      avail: number64,
      log: number64,
    }
    roundTrip(vringAddr, fc.record(address))
    roundTrip(vringFd, fc.record({ index: fc.nat({ max: 255 }), hasFd: fc.boolean() }))
    roundTrip(memoryTable, fc.array(memoryRegion, { maxLength: 8 }))
    roundTrip(singleRegion, memoryRegion)
    roundTrip(log, fc.record({ size: number64, offset: number64 }))
    roundTrip(
      config,
      fc.record({ offset: number32, flags: fc.nat({ max: 1 }), bytes: fc.uint8Array({ maxLength: 256 }) }),
    )
    const number16 = fc.nat({ max: 0xffff })
    roundTrip(inflight, fc.record({ size: number64, offset: number64, queueCount: number16, queueSize: number16 }))
    roundTrip(deviceState, fc.record({ direction: number32, phase: number32 }))
    const permission = fc.nat({ max: 255 })
    const iova = { iova: number64, size: number64, permission }
    roundTrip(iotlb, fc.record({ ...iova, userAddress: number64, type: fc.constant(IOTLB_UPDATE) }))
    roundTrip(iotlb, fc.record({ ...iova, userAddress: fc.constant(0), type: fc.constant(IOTLB_INVALIDATE) }))
  })

  test('addresses at or above 2^53 are refused', () => {
    const bytes = vringAddr.encode({ index: 0, flags: 0, desc: 0, used: 0, avail: 0, log: 0 })
    new DataView(bytes.buffer).setBigUint64(8, 2n ** 53n, true)
    expect(() => vringAddr.decode(new DataView(bytes.buffer))).toThrow('desc is 9007199254740992; accepted: below 2^53')
  })

  test('where the log of a ring is means nothing without its flag: virtio_uml sends all ones', () => {
    const bytes = vringAddr.encode({ index: 0, flags: 0, desc: 0, used: 0, avail: 0, log: 0 })
    const view = new DataView(bytes.buffer)
    view.setBigUint64(32, 2n ** 64n - 1n, true)
    expect(vringAddr.decode(view).log).toBe(0)
    view.setUint32(4, 1, true)
    expect(() => vringAddr.decode(view)).toThrow('log is 18446744073709551615')
  })

  test('a memory table whose count is not what its size says is refused', () => {
    const bytes = memoryTable.encode([{ guestAddress: 0, size: 1, userAddress: 0, mmapOffset: 0 }])
    bytes[0] = 2
    expect(() => memoryTable.decode(new DataView(bytes.buffer))).toThrow('regions is 2; accepted: at most 1')
  })

  test('more payload than its regions or its configuration need is accepted, as virtio_uml sends it', () => {
    const region = { guestAddress: 0, size: 1, userAddress: 0, mmapOffset: 0 }
    const table = new Uint8Array(8 + 8 * 32)
    table.set(memoryTable.encode([region]))
    expect(memoryTable.decode(new DataView(table.buffer))).toEqual([region])
    const space = new Uint8Array(12 + 256)
    space.set(config.encode({ offset: 4, flags: 0, bytes: Uint8Array.of(7) }))
    expect(config.decode(new DataView(space.buffer))).toEqual({ offset: 4, flags: 0, bytes: Uint8Array.of(7) })
    space[4] = 255
    space[5] = 255
    expect(() => config.decode(new DataView(space.buffer))).toThrow(
      'configuration size is 65535; accepted: at most 256',
    )
  })

  test('the user address of an invalidation is whatever its sender left there, and is not read', () => {
    const bytes = iotlb.encode({ iova: 4096, size: 4096, userAddress: 0, permission: 0, type: IOTLB_INVALIDATE })
    const view = new DataView(bytes.buffer)
    view.setBigUint64(16, 2n ** 64n - 1n, true)
    expect(iotlb.decode(view)).toMatchObject({ iova: 4096, size: 4096, userAddress: 0 })
    view.setUint8(25, IOTLB_UPDATE)
    expect(() => iotlb.decode(view)).toThrow('user address')
  })

  test('the size of an IOTLB message may mean everything', () => {
    const bytes = iotlb.encode({ iova: 0, size: 2 ** 64, userAddress: 0, permission: 3, type: 3 })
    expect(new DataView(bytes.buffer).getBigUint64(8, true)).toBe(2n ** 64n - 1n)
    expect(iotlb.decode(new DataView(bytes.buffer)).size).toBe(2 ** 64)
  })
})

describe('the table of messages', () => {
  test('has the numbers of the specification, each once', () => {
    expect(Object.values(MESSAGES).map(({ id }) => id)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 24, 25, 31, 32, 34, 36, 37, 38, 39,
      40, 42, 43,
    ])
    for (const [name, { id }] of Object.entries(MESSAGES)) expect(requestName(id)).toBe(name)
    expect(requestName(28)).toBeNull()
    expect(requestLabel(28)).toBe('POSTCOPY_ADVISE')
    expect(unservedReason(28)).toContain('it belongs to PAGEFAULT (8)')
  })

  test('bounds every payload and every descriptor', () => {
    expect(PAYLOAD_BYTES_MAX).toBe(12 + 256)
    for (const { fds } of Object.values(MESSAGES)) expect(fds[0] <= fds[1] && fds[1] <= 8).toBe(true)
  })
})

describe('a message as people read it', () => {
  test('shows name, flags, fields and descriptors', () => {
    const num = encodeMessage(8, FLAG_NEED_REPLY, vringState.encode({ index: 1, num: 256 }))
    expect(decodeMessage(num)).toBe('SET_VRING_NUM need_reply index=1 num=256')
    const kick = encodeMessage(12, 0, vringFd.encode({ index: 0, hasFd: true }))
    expect(decodeMessage(kick, [9])).toBe('SET_VRING_KICK index=0 hasFd=true fds=9')
    const table = encodeMessage(
      5,
      0,
      memoryTable.encode([{ guestAddress: 0, size: 0x20_0000, userAddress: 4096, mmapOffset: 0 }]),
    )
    expect(decodeMessage(table)).toBe('SET_MEM_TABLE [{guestAddress=0 size=0x200000 userAddress=4096 mmapOffset=0}]')
    expect(decodeMessage(encodeMessage(8, FLAG_REPLY, u64.encode(0n)))).toBe('SET_VRING_NUM reply ack=0')
  })

  test('shows what does not decode as bytes, and never throws', () => {
    expect(decodeMessage(encodeMessage(99, 0, Uint8Array.of(1, 255)))).toBe('request 99 01ff')
    expect(decodeMessage(Uint8Array.of(1))).toBe('truncated header: 01')
    const names = Object.keys(MESSAGES) as RequestName[]
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.nat({ max: 15 }),
        fc.uint8Array({ maxLength: 64 }),
        (name, flags, payload) => {
          expect(decodeMessage(encodeMessage(MESSAGES[name].id, flags & ~3, payload)).startsWith(name)).toBe(true)
        },
      ),
      { numRuns: 200 },
    )
  })
})
