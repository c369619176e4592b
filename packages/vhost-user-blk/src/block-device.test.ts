import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { featureSet, hasFeature, VIRTIO_BLK_F_FLUSH, VIRTIO_BLK_F_MQ, VIRTIO_BLK_F_RO } from '@vring/layout'
import { processResources, UnixSocket, unsupportedHost } from '@vring/linux'
import { BackendSession, linuxHost, VhostUserDriver, type VhostUserDriverOptions } from '@vring/vhost-user'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { BLOCK_CONFIG_BYTES, BlockDevice, type BlockDeviceOptions, type BlockStore, FileStore } from './index.ts'

const reason = unsupportedHost()
const ALL_FEATURES = 2n ** 20n - 1n
const OK = 0
const IOERR = 1
const UNSUPP = 2

/** A request's header: type, reserved, sector. */
function header(type: number, sector: number | bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(16))
  view.setUint32(0, type, true)
  view.setBigUint64(8, BigInt(sector), true)
  return new Uint8Array(view.buffer)
}

function ranges(...list: readonly (readonly [sector: number, count: number, flags: number])[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(16 * list.length))
  for (const [i, [sector, count, flags]] of list.entries()) {
    view.setBigUint64(16 * i, BigInt(sector), true)
    view.setUint32(16 * i + 8, count, true)
    view.setUint32(16 * i + 12, flags, true)
  }
  return new Uint8Array(view.buffer)
}

/** A device and its driver in one thread: the device's rounds run while the driver waits. */
class Rig {
  readonly device: BlockDevice
  readonly driver: VhostUserDriver
  session: BackendSession | null = null
  readonly notes: string[] = []

  constructor(options: BlockDeviceOptions, driver: VhostUserDriverOptions = {}) {
    this.device = new BlockDevice(options)
    this.driver = VhostUserDriver.connect({
      features: ALL_FEATURES,
      slotBytes: 65_536,
      ...driver,
      transport: () => this.open(),
      wait: () => this.turn(),
    })
  }

  open(): UnixSocket {
    const [mine, transport] = UnixSocket.pair()
    this.session = new BackendSession({
      ...{ transport, device: this.device, host: linuxHost },
      onNote: (line) => this.notes.push(line),
    })
    return mine
  }

  turn(): void {
    this.session!.poll()
    for (const index of this.session!.activeQueues) this.device.serveQueue(index)
  }

  /** Status and data of one request. */
  ask(type: number, sector: number | bigint, parts: readonly Uint8Array[] = [], room = 0, queue = 0) {
    const { bytes, length } = this.driver.request(queue, [header(type, sector), ...parts], room + 1)
    return { status: bytes.length === 0 ? -1 : bytes.at(-1)!, data: bytes.subarray(0, room), length }
  }

  close(): void {
    this.driver.close()
    this.session?.close()
    this.device.close()
  }
}

/** Sectors in memory, with a record of what was asked. */
function memoryStore(bytes = 65_536): BlockStore & { readonly content: Uint8Array; readonly calls: string[] } {
  const content = new Uint8Array(bytes)
  const calls: string[] = []
  return {
    ...{ bytes, content, calls },
    read(offset, into) {
      let at = offset
      for (const view of into) {
        view.set(content.subarray(at, at + view.length))
        at += view.length
      }
    },
    write(offset, from) {
      let at = offset
      for (const view of from) {
        content.set(view, at)
        at += view.length
      }
    },
    flush: () => void calls.push('flush'),
    discard: (offset, length) => void calls.push(`discard ${offset} ${length}`),
  }
}

describe.skipIf(reason !== null)(`a block device${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  let path: string
  let before: number
  beforeEach(() => {
    before = processResources().openFds
    folder = mkdtempSync(join(tmpdir(), 'vring-blk-'))
    path = join(folder, 'disk')
    writeFileSync(path, randomBytes(65_536))
  })
  afterEach(async () => {
    rmSync(folder, { recursive: true, force: true })
    await vi.waitFor(() => expect(processResources().openFds).toBeLessThanOrEqual(before), 10_000)
  })

  test('virtio 1.3 5.2.6 reads and writes a file, flushes it, and says its id', () => {
    const store = new FileStore(path)
    const rig = new Rig({ store, id: 'disk-1' })
    const data = randomBytes(8192)
    expect(rig.ask(1, 16, [data])).toMatchObject({ status: OK, length: 1 })
    const read = rig.ask(0, 15, [], 16_384)
    expect([read.status, read.length]).toEqual([OK, 16_385])
    expect(Buffer.from(read.data)).toEqual(readFileSync(path).subarray(15 * 512, 15 * 512 + 16_384))
    expect(Buffer.from(read.data).subarray(512, 8704).equals(data)).toBe(true)
    expect(rig.ask(4, 0).status).toBe(OK)
    expect(new TextDecoder().decode(rig.ask(8, 0, [], 20).data)).toBe('disk-1'.padEnd(20, '\0'))
    expect(rig.device.counters).toMatchObject({
      reads: 1,
      writes: 1,
      flushes: 1,
      readBytes: 16_384,
      writtenBytes: 8192,
    })
    rig.close()
    store.close()
  })

  test('virtio 1.3 5.2.5 its configuration space says capacity, segments and queues', () => {
    const store = new FileStore(path)
    const rig = new Rig({ store, queues: 3 }, { queues: 3 })
    const view = new DataView(rig.driver.config(0, 60).slice().buffer)
    expect([view.getBigUint64(0, true), view.getUint32(12, true), view.getUint16(34, true)]).toEqual([128n, 126, 3])
    expect(() => rig.driver.config(BLOCK_CONFIG_BYTES - 4, 8)).toThrow('a part of the configuration space')
    expect(
      hasFeature(rig.driver.features, VIRTIO_BLK_F_MQ) && hasFeature(rig.driver.features, VIRTIO_BLK_F_FLUSH),
    ).toBe(true)
    for (let queue = 0; queue < 3; queue++) expect(rig.ask(0, queue, [], 512, queue).status).toBe(OK)
    rig.close()
    store.close()
  })

  test('discards and zeroes ranges; what it has no way for is written', () => {
    const store = new FileStore(path)
    const rig = new Rig({ store })
    expect(rig.ask(13, 0, [ranges([1, 2, 1], [8, 1, 0])]).status).toBe(OK)
    expect(rig.ask(11, 0, [ranges([100, 4, 0])]).status).toBe(OK)
    const content = readFileSync(path)
    expect(content.length).toBe(65_536)
    expect(content.subarray(512, 1536).every((byte) => byte === 0)).toBe(true)
    expect(content.subarray(0, 512).every((byte) => byte === 0)).toBe(false)
    rig.close()
    store.close()
    const memory = memoryStore()
    memory.content.fill(7)
    const other = new Rig({ store: memory })
    expect(other.ask(13, 0, [ranges([0, 100, 1])]).status).toBe(OK)
    expect(memory.content.subarray(0, 51_200).every((byte) => byte === 0) && memory.content[51_200] === 7).toBe(true)
    expect(other.ask(11, 0, [ranges([2, 1, 0])]).status).toBe(OK)
    expect(memory.calls).toEqual(['discard 1024 512'])
    other.close()
  })

  test('answers an error to what is beyond the end, unaligned, empty or unknown, and does nothing of it', () => {
    const store = memoryStore()
    const rig = new Rig({ store })
    const sector = new Uint8Array(512).fill(9)
    expect(rig.ask(1, 128, [sector]).status).toBe(IOERR)
    expect(rig.ask(1, 127, [sector, sector]).status).toBe(IOERR)
    expect(rig.ask(1, 2n ** 64n - 1n, [sector]).status).toBe(IOERR)
    expect(rig.ask(1, 2n ** 55n, [sector]).status).toBe(IOERR)
    expect(rig.ask(1, 0, [new Uint8Array(511)]).status).toBe(IOERR)
    expect(rig.ask(1, 0).status).toBe(IOERR)
    expect(rig.ask(0, 0, [], 100).status).toBe(IOERR)
    expect(rig.ask(8, 0, [], 19).status).toBe(IOERR)
    expect(rig.ask(13, 0, [ranges([127, 2, 0])]).status).toBe(IOERR)
    expect(rig.ask(13, 0, [ranges([0, 0, 0])]).status).toBe(IOERR)
    expect(rig.ask(13, 0, [new Uint8Array(15)]).status).toBe(IOERR)
    expect(rig.ask(11, 0, [ranges([0, 1, 1])]).status).toBe(UNSUPP)
    expect(rig.ask(13, 0, [ranges([0, 1, 2])]).status).toBe(UNSUPP)
    expect(rig.ask(99, 0).status).toBe(UNSUPP)
    expect(store.content.every((byte) => byte === 0)).toBe(true)
    expect(rig.device.counters.errors).toBe(14)
    rig.close()
  })

  test('a request without room for its status, and one without a header, come back and harm nothing', () => {
    const rig = new Rig({ store: memoryStore() })
    expect(rig.driver.request(0, [header(0, 0)], 0)).toMatchObject({ length: 0 })
    expect(rig.device.counters.malformed).toBe(1)
    expect([...rig.driver.request(0, [new Uint8Array(8)], 1).bytes]).toEqual([IOERR])
    expect(rig.ask(0, 0, [], 512).status).toBe(OK)
    rig.close()
  })

  test('a read-only file is offered as such, and is not written', () => {
    const store = new FileStore(path, { readOnly: true })
    const rig = new Rig({ store })
    const content = readFileSync(path)
    expect(hasFeature(rig.driver.features, VIRTIO_BLK_F_RO)).toBe(true)
    for (const [type, part] of [
      [1, new Uint8Array(512)],
      [13, ranges([0, 1, 0])],
      [11, ranges([0, 1, 0])],
    ] as const)
      expect(rig.ask(type, 0, [part]).status).toBe(IOERR)
    expect(rig.ask(0, 0, [], 512).status).toBe(OK)
    expect(rig.ask(4, 0).status).toBe(OK)
    expect(readFileSync(path)).toEqual(content)
    rig.close()
    store.close()
  })

  test('what the store throws is the request’s error: a file that was shortened', () => {
    const store = new FileStore(path)
    const rig = new Rig({ store })
    truncateSync(path, 4096)
    expect(rig.ask(0, 64, [], 512).status).toBe(IOERR)
    expect(rig.ask(0, 0, [], 512).status).toBe(OK)
    rig.close()
    store.close()
  })

  test('reaches ring metadata access by access, without prefetching, and counts it', () => {
    const rig = new Rig({ store: memoryStore() })
    rig.ask(0, 0, [], 512)
    const counts = rig.device.accesses(0)!.snapshot()
    const names = Object.keys(counts)
    expect(names.length).toBeGreaterThan(0)
    expect(names.some((name) => /prefetch|direct/.test(name) && counts[name]! > 0)).toBe(false)
    expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(4)
    rig.close()
  })

  test('a store that answers later is served out of order, and GET_VRING_BASE waits for it', async () => {
    const content = new Uint8Array(65_536).fill(5)
    const waiting: (() => void)[] = []
    const rig = new Rig({
      store: {
        async: true,
        bytes: content.length,
        read: (offset, into) =>
          new Promise((resolve) => {
            waiting.push(() => {
              into.set(content.subarray(offset, offset + into.length))
              resolve()
            })
          }),
        write: async () => {
          throw new Error('no room')
        },
        flush: async () => {},
      },
    })
    const [ring] = rig.driver.rings
    const first = ring!.send([header(0, 0)], 513)
    const second = ring!.send([header(1, 0), new Uint8Array(512)], 1)
    ring!.kick()
    rig.turn()
    const settle = async (): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve))
      rig.turn()
    }
    await settle()
    expect(ring!.receive()).toMatchObject({ token: second, bytes: Uint8Array.of(IOERR) })
    expect(ring!.receive()).toBeNull()
    expect(rig.device.drainQueue(0)).toBe(false)
    waiting[0]!()
    await settle()
    expect(rig.device.drainQueue(0)).toBe(true)
    const answer = ring!.receive()!
    expect([answer.token, answer.bytes[0], answer.bytes[512]]).toEqual([first, 5, OK])
    rig.close()
  })
})

test('what a device can’t be made of is refused when it is made', () => {
  const store = memoryStore()
  expect(() => new BlockDevice({} as never)).toThrow('store is undefined; accepted: a BlockStore')
  expect(() => new BlockDevice({ store: { ...store, flush: undefined } as never })).toThrow(
    'store.flush is undefined; accepted: a function',
  )
  expect(() => new BlockDevice({ store: { ...store, bytes: 1000 } })).toThrow(
    'store.bytes is 1000; accepted: a positive multiple of 512',
  )
  expect(() => new BlockDevice({ store, queues: 0 })).toThrow('queues is 0; accepted: 1 to 256')
  expect(() => new BlockDevice({ store, id: 'ü' })).toThrow('id is ü')
  expect(() => new BlockDevice({ store, accessor: 'vmap-direct' as never })).toThrow('accepted: an accessor plugin')
  expect(() => new BlockDevice({ store, accessorOptions: { era: '1999' } })).toThrow('era')
  expect(() => new FileStore('/dev/null')).toThrow('no regular file')
  expect(featureSet(VIRTIO_BLK_F_MQ) & new BlockDevice({ store }).features).toBe(0n)
})
