import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { region, SessionPair } from '../../test/session-pair.ts'
import { encodeMessage, FLAG_NEED_REPLY, FLAG_REPLY } from '../messages/header.ts'
import { MESSAGES, type RequestName } from '../messages/messages.ts'
import { memoryTable, singleRegion, u64, vringState } from '../messages/payload.ts'

describe('malformed messages', () => {
  test('an unknown request is refused, a wrong version, an oversized payload and a cut stream end the session', () => {
    const unknown = new SessionPair().negotiate()
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
    const pair = new SessionPair().negotiate()
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
        const pair = new SessionPair().negotiate()
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
