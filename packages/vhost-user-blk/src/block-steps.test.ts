import { UnixSocket, unsupportedHost } from '@vring/linux'
import { work } from '@vring/memory'
import { BackendSession, linuxHost, VhostUserDriver } from '@vring/vhost-user'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type AsyncBlockStore, BlockDevice, type BlockStore } from './index.ts'

const MIB = 2 ** 20
const SECTOR = 512
const [READ, WRITE, DISCARD, ZEROES] = [0, 1, 11, 13]
const reason = unsupportedHost()

/** A request's header and what follows it. */
function request(type: number, sector: number, ...rest: readonly Uint8Array[]): Uint8Array[] {
  const view = new DataView(new ArrayBuffer(16))
  view.setUint32(0, type, true)
  view.setUint32(8, sector, true)
  return [new Uint8Array(view.buffer), ...rest]
}

function range(sector: number, count: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(16))
  view.setUint32(0, sector, true)
  view.setUint32(8, count, true)
  return new Uint8Array(view.buffer)
}

/** 64 MiB whose bytes say their offset in MiB, with a record of what was asked. */
class Store implements BlockStore {
  readonly bytes: number = 64 * MIB
  readonly calls: string[] = []
  failAt = Number.POSITIVE_INFINITY

  read(offset: number, into: readonly Uint8Array[]): void {
    this.#call('read', offset, into)
    let at = offset
    for (const view of into) for (let i = 0; i < view.length; i++) view[i] = at++ / MIB
  }

  write(offset: number, from: readonly Uint8Array[]): void {
    this.#call('write', offset, from)
  }

  flush(): void {}

  discard(offset: number, length: number): void {
    this.calls.push(`discard ${offset / SECTOR} ${length / SECTOR}`)
  }

  #call(what: string, offset: number, views: readonly Uint8Array[]): void {
    if (offset >= this.failAt) throw new Error('no such sector')
    this.calls.push(`${what} ${offset / SECTOR} ${views.reduce((sum, { length }) => sum + length, 0) / SECTOR}`)
  }
}

/** The same store, which answers later. */
function later(store: Store): AsyncBlockStore {
  return {
    async: true,
    bytes: store.bytes,
    read: async (offset, into) => store.read(offset, [into]),
    write: async (offset, from) => store.write(offset, [from]),
    flush: async () => {},
    discard: async (offset, length) => store.discard(offset, length),
  }
}

describe.skipIf(reason !== null)(`a long request${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let store: Store
  let device: BlockDevice
  let driver: VhostUserDriver
  let session: BackendSession
  function connect(served: BlockStore | AsyncBlockStore): void {
    device = new BlockDevice({ store: served, queues: 2 })
    driver = VhostUserDriver.connect({
      ...{ features: 2n ** 20n - 1n, queues: 2, queueSize: 8, slotBytes: 3 * MIB + 4096 },
      transport: () => {
        const [mine, transport] = UnixSocket.pair()
        session = new BackendSession({ transport, device, host: linuxHost })
        return mine
      },
      wait: () => void session.poll(),
    })
  }

  function close(): void {
    driver.close()
    session.close()
    device.close()
  }

  beforeEach(() => {
    store = new Store()
    connect(store)
  })
  afterEach(close)

  /** A look's work at a queue. */
  function look(queue: number): number {
    work.begin()
    return device.serveQueue(queue)
  }

  function send(queue: number, parts: readonly Uint8Array[], room = 1): void {
    const ring = driver.rings[queue]!
    ring.send(parts, room, { indirect: true })
    ring.kick()
  }

  test('is read in steps of 1 MiB, a look each; another queue is served between them', () => {
    send(0, request(READ, 2048), 3 * MIB + 1)
    send(1, request(READ, 0), SECTOR + 1)
    expect(look(0)).toBe(1)
    expect(device.armQueue(0)).toBe(true)
    expect(look(1)).toBe(1)
    expect([driver.rings[0]!.receive(), driver.rings[1]!.receive()?.bytes.length]).toEqual([null, SECTOR + 1])
    expect([look(0), look(0), look(0)]).toEqual([1, 1, 0])
    const { bytes, length } = driver.rings[0]!.receive()!
    expect([length, bytes[0], bytes[MIB - 1], bytes[MIB], bytes[3 * MIB - 1], bytes[3 * MIB]]).toEqual([
      3 * MIB + 1,
      ...[1, 1, 2, 3, 0],
    ])
    expect(store.calls).toEqual(['read 2048 2048', 'read 0 1', 'read 4096 2048', 'read 6144 2048'])
  })

  test('is written in steps, with those that were taken after it', () => {
    send(0, request(WRITE, 8, new Uint8Array(MIB + MIB / 2)))
    send(0, request(WRITE, 1, new Uint8Array(SECTOR)))
    while (look(0) > 0);
    expect(store.calls).toEqual(['write 8 2048', 'write 2056 1024', 'write 1 1'])
    expect([driver.rings[0]!.receive()?.bytes, driver.rings[0]!.receive()?.bytes]).toEqual([
      Uint8Array.of(0),
      Uint8Array.of(0),
    ])
    expect(device.counters).toMatchObject({ writes: 2, writtenBytes: MIB + MIB / 2 + SECTOR, errors: 0 })
  })

  test('discards and zeroes its ranges in steps that end at whole ones', () => {
    send(0, request(DISCARD, 0, range(1, 65_535), range(40_000, 8)))
    expect(look(0)).toBe(1)
    expect(store.calls).toEqual(['discard 1 32767'])
    while (look(0) > 0);
    expect(store.calls.slice(1)).toEqual(['discard 32768 32768', 'discard 40000 8'])
    store.calls.splice(0)
    send(0, request(ZEROES, 0, range(1024, 4096)))
    let looks = 0
    while (look(0) > 0) looks++
    expect(looks).toBeGreaterThan(1)
    const written = store.calls.map((call) => call.split(' ').map(Number))
    expect(written.map(([, at]) => at)).toEqual(Array.from({ length: 32 }, (_, i) => 1024 + 128 * i))
    expect(driver.rings[0]!.receive()?.bytes).toEqual(Uint8Array.of(0))
  })

  test('that fails in a later step is an error, with nothing said to be written', () => {
    store.failAt = 2 * MIB
    send(0, request(READ, 0), 3 * MIB + 1)
    while (look(0) > 0);
    expect(driver.rings[0]!.receive()).toMatchObject({ length: 0 })
    expect(device.counters).toMatchObject({ reads: 1, errors: 1 })
  })

  test('takes the same steps with a store that answers later', async () => {
    close()
    connect(later(store))
    const settled = async (): Promise<NonNullable<ReturnType<(typeof driver.rings)[0]['receive']>>> => {
      for (;;) {
        look(0)
        const answer = driver.rings[0]!.receive()
        if (answer !== null) return answer
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    send(0, request(READ, 2048), 3 * MIB + 1)
    const { bytes, length } = await settled()
    expect([length, bytes[0], bytes[MIB], bytes[3 * MIB - 1], bytes[3 * MIB]]).toEqual([3 * MIB + 1, 1, 2, 3, 0])
    send(0, request(DISCARD, 0, range(1, 65_535), range(40_000, 8)))
    expect((await settled()).bytes).toEqual(Uint8Array.of(0))
    expect(store.calls).toEqual([
      ...['read 2048 2048', 'read 4096 2048', 'read 6144 2048'],
      ...['discard 1 32767', 'discard 32768 32768', 'discard 40000 8'],
    ])
    store.failAt = 2 * MIB
    send(0, request(READ, 0), 3 * MIB + 1)
    expect(await settled()).toMatchObject({ length: 0 })
  })

  test('is waited for by GET_VRING_BASE, and is left by a reset', () => {
    send(0, request(WRITE, 0, new Uint8Array(3 * MIB)))
    send(1, request(WRITE, 0, new Uint8Array(3 * MIB)))
    expect([look(0), look(1)]).toEqual([1, 1])
    expect([device.drainQueue(0), look(0), device.drainQueue(0), look(0)]).toEqual([false, 1, false, 1])
    expect(device.drainQueue(0)).toBe(true)
    device.stopQueue(1)
    const { length } = store.calls
    expect([look(1), store.calls.length]).toEqual([0, length])
  })
})
