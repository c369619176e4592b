import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { vmapDirect } from '@vring/accessor-vmap-direct'
import { completeChecksum, completePartialChecksum } from '@vring/backend-af-xdp'
import { bytesSource, PcapngEncoder, readCapture } from '@vring/backend-pcap'
import { checkNetHeader } from '@vring/backend-tap'
import {
  createMap,
  decode,
  type EbpfMap,
  type EbpfMapDefinition,
  encode,
  type HashMap,
  type HashOfMaps,
  indexKeyOf,
  loadProgram,
  loadRawProgram,
  loadStepper,
  type PerfEventArray,
  rawType,
  readInteger,
  readObject,
} from '@vring/ebpf'
import { withDescriptors } from '@vring/ebpf/linux'
import { FileStream, parseLinkEvents, UnixSocket } from '@vring/linux'
import { MachineCode } from '@vring/linux/machine-code'
import { DirtyBitmap, memoryView, PageCache, PagedSpace, PhysicalMemory } from '@vring/memory'
import { batchOf, sameBytes } from '@vring/net-conformance'
import { DropBackend, type FrameBatch } from '@vring/vhost-net'
import { decodeHeader, decodeMessage, encodeMessage } from '@vring/vhost-user'
import { BlockDevice, FileStore } from '@vring/vhost-user-blk'
import { NetDevice } from '@vring/vhost-user-net'
import { loadEbpf, lookUpRoute, swapMacs, XdpContext } from '@vring/xdp'
import { afterAll, describe, expect, test } from 'vitest'
import { takersOfBytes } from './bytes-of-reports.ts'

/*
 * Bytes are bytes: whatever holds them, a public function that reads them gives the same result and leaves them, and all that
 * lies around them, as they were. What the reports of the API say takes bytes is in one of three tables.
 */

const folder = mkdtempSync(join(tmpdir(), 'vring-bytes-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Bytes, and everything that their backing store holds. */
interface Held {
  readonly bytes: Uint8Array
  readonly all: Uint8Array
}

/** An odd place in a store. */
const AT = 4099

function held(store: ArrayBuffer | SharedArrayBuffer, at: number, bytes: Uint8Array, isBuffer = false): Held {
  const all = new Uint8Array(store).fill(0xa5)
  const view = isBuffer ? Buffer.from(store as ArrayBuffer, at, bytes.length) : new Uint8Array(store, at, bytes.length)
  view.set(bytes)
  return { bytes: view, all }
}

const BACKINGS: readonly (readonly [string, (bytes: Uint8Array) => Held])[] = [
  ['a Uint8Array', (bytes) => held(new ArrayBuffer(bytes.length), 0, bytes)],
  ['an odd subarray', (bytes) => held(new ArrayBuffer(2 * AT + bytes.length), AT, bytes)],
  ['a Buffer', (bytes) => held(new ArrayBuffer(bytes.length), 0, bytes, true)],
  ['a pooled Buffer', (bytes) => held(new ArrayBuffer(2 * AT + bytes.length), AT, bytes, true)],
  ['shared memory', (bytes) => held(new SharedArrayBuffer(2 * AT + bytes.length), AT, bytes)],
]

/** What reads bytes: the bytes that it is tried with, and what it makes of them. */
type Reader = readonly [input: Uint8Array, read: (bytes: Uint8Array) => unknown]

const object = new Uint8Array(readFileSync(join(import.meta.dirname, '../packages/xdp/fixtures/xdp1.v3.o')))
const code = encode([
  { kind: 'move', destination: 0, source: -1, immediate: 2, bits: 64, fromBits: 64 },
  { kind: 'exit' },
])
const frame = Uint8Array.from({ length: 64 }, (_, i) => [0x08, 0x00, 0x45][i - 12] ?? i)

function map(type: EbpfMapDefinition['type'], more: Partial<EbpfMapDefinition> = {}): EbpfMap {
  return createMap({ name: 'map', type, keyBytes: 4, valueBytes: 4, maxEntries: 8, ...more })
}

const INNER = { name: 'inner', type: 'array', keyBytes: 4, valueBytes: 4, maxEntries: 1 } as const

/** Key and value of an entry: what each operation makes of a map. */
function operations(
  make: () => EbpfMap,
  key: Uint8Array,
): Record<'find' | 'update' | 'delete' | 'get' | 'set', Reader> {
  const filled = (): EbpfMap => {
    const one = make()
    one.update(key, 0, indexKeyOf(7), 0, 0)
    return one
  }
  const state = (one: EbpfMap): unknown => [one.keys(), one.values.slice()]
  return {
    find: [key, (bytes) => filled().find(bytes, 0) >= 0],
    update: [key, (bytes) => after(make(), (one) => one.update(bytes, 0, bytes, 0, 0), state)],
    delete: [key, (bytes) => after(filled(), (one) => one.delete(bytes, 0), state)],
    get: [key, (bytes) => filled().get(bytes)?.slice()],
    set: [key, (bytes) => after(make(), (one) => one.set(bytes, bytes.subarray(0, 4)), state)],
  }
}

function after<T>(one: T, change: (one: T) => unknown, state: (one: T) => unknown): unknown {
  return [change(one), state(one)]
}

function mapReaders(
  name: string,
  make: () => EbpfMap,
  names: readonly string[],
  key = indexKeyOf(3),
): [string, Reader][] {
  const all: Record<string, Reader> = operations(make, key)
  return names.map((one) => [`ebpf: ${name}.${one}`, all[one]!])
}

function pcapng(write: (encoder: PcapngEncoder) => void): Uint8Array {
  const encoder = new PcapngEncoder(4096)
  encoder.section('test')
  encoder.interface('tap0', 0)
  write(encoder)
  return encoder.bytes.slice(0, encoder.length)
}

const capture = pcapng((encoder) =>
  encoder.packet(0, 1, 2, memoryView(frame.slice().buffer), 0, frame.length, frame.length, 1),
)
const message = encodeMessage(1, 1, new Uint8Array(0))
let files = 0

/** Sends to a socket of its own, and what arrives. */
function sent(bytes: Uint8Array): unknown {
  const [one, other] = UnixSocket.pair()
  one.send(bytes)
  const received = new Uint8Array(bytes.length)
  other.receive(received, [])
  one.close()
  other.close()
  return received
}

function readAll(file: Uint8Array): unknown {
  const { license, programs, mapNames, map: one } = readObject(file)
  return [license, programs.map((program) => program.link()), mapNames.map(one)]
}

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  [
    'backend-pcap: bytesSource',
    [
      capture,
      (bytes) => {
        const copy = new Uint8Array(16)
        return [bytesSource(bytes).read(copy, 4, 12), copy]
      },
    ],
  ],
  ['backend-pcap: readCapture', [capture, (bytes) => readCapture(bytes)]],
  [
    'backend-tap: checkNetHeader',
    [Uint8Array.of(1, 0, 0, 0, 0, 0, 34, 0, 6, 0), (bytes) => checkNetHeader(bytes, 0, new Uint8Array(64), 0, 64)],
  ],
  ...mapReaders('EbpfMap', () => map('array'), ['find', 'update', 'delete', 'get', 'set']),
  ...mapReaders('ArrayMap', () => map('percpu-array'), ['find', 'update']),
  ...mapReaders('HashMap', () => map('hash'), ['find', 'update', 'delete']),
  ...mapReaders('LruHashMap', () => map('lru-hash'), ['find', 'update', 'delete']),
  ...mapReaders('RedirectTable', () => map('devmap'), ['find', 'update', 'delete']),
  ...mapReaders('ProgArray', () => map('prog-array'), ['delete']),
  ...mapReaders(
    'LpmTrie',
    () => map('lpm-trie', { keyBytes: 8, flags: 1 }),
    ['find', 'update', 'delete'],
    Uint8Array.of(24, 0, 0, 0, 10, 0, 0, 0),
  ),
  [
    'ebpf: HashMap.valueOfCpu',
    [
      indexKeyOf(3),
      (bytes) => {
        const one = map('percpu-hash') as HashMap
        one.set(indexKeyOf(3), indexKeyOf(9))
        return one.valueOfCpu(bytes, 0)?.slice()
      },
    ],
  ],
  ...(['ArrayOfMaps', 'HashOfMaps', 'MapOfMaps'] as const).map((name): [string, Reader] => [
    `ebpf: ${name}.setMap`,
    [
      indexKeyOf(2),
      (bytes) => {
        const one = map(name === 'ArrayOfMaps' ? 'array-of-maps' : 'hash-of-maps', { inner: INNER }) as HashOfMaps
        one.setMap(bytes, createMap(INNER))
        return [one.keys(), one.held.length]
      },
    ],
  ]),
  [
    'ebpf: PerfEventArray.output',
    [
      frame,
      (bytes) => {
        const events = map('perf-event-array') as PerfEventArray
        events.output(0, bytes, 3, 9, bytes, 12, 20)
        const records: Uint8Array[] = []
        events.drain((_cpu, record) => records.push(record.slice()))
        return records
      },
    ],
  ],
  ['ebpf: decode', [code, (bytes) => decode(bytes)]],
  [
    'ebpf: loadProgram',
    [code, async (bytes) => (await loadProgram(rawType(0), { name: 'p', code: bytes })).verifiedInstructions],
  ],
  ['ebpf: loadRawProgram', [code, async (bytes) => (await loadRawProgram({ name: 'p', code: bytes })).run()]],
  [
    'ebpf: loadStepper',
    [
      code,
      (bytes) => {
        const stepper = loadStepper(rawType(0), { name: 'p', code: bytes })
        return [stepper.verifiedInstructions, stepper.instructions.map(({ text }) => text)]
      },
    ],
  ],
  [
    'ebpf: readInteger',
    [
      Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
      (bytes) => readInteger(bytes, { path: '', offset: 2, bytes: 4, signed: true }),
    ],
  ],
  ['ebpf: readObject', [object, readAll]],
  [
    'ebpf: withDescriptors',
    [
      Uint8Array.of(0x18, 0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
      (bytes) => withDescriptors(bytes, [{ fd: 9 }]),
    ],
  ],
  ['linux: UnixSocket.send', [frame, sent]],
  ['vhost-user: Transport.send', [frame, sent]],
  [
    'memory: PageCache.constructor',
    [frame, (bytes) => new PageCache(new PhysicalMemory(), 'file', 4096, bytes).disk.slice()],
  ],
  [
    'memory: PagedSpace.write',
    [
      frame,
      (bytes) => {
        const space = new PagedSpace()
        const address = space.mmap({ length: 4096 })
        space.write(address + 5, bytes)
        return space.read(address, 128)
      },
    ],
  ],
  ['net-conformance: batchOf', [frame, (bytes) => batchOf([bytes]).count]],
  ['net-conformance: sameBytes', [frame, (bytes) => [sameBytes(bytes, frame), sameBytes(frame, bytes)]]],
  ['vhost-user: decodeHeader', [message, (bytes) => decodeHeader(bytes, 4096)]],
  ['vhost-user: decodeMessage', [message, (bytes) => decodeMessage(bytes)]],
  ['vhost-user: encodeMessage', [frame, (bytes) => encodeMessage(1, 1, bytes)]],
  [
    'xdp: loadEbpf',
    [
      object,
      async (bytes) => {
        const program = await loadEbpf(bytes)
        const context = new XdpContext()
        context.setFrame(frame.slice(), 0, frame.length)
        return [program.verifiedInstructions, program.run(context)]
      },
    ],
  ],
  [
    'linux: FileStream.write',
    [
      frame,
      (bytes) => {
        const path = join(folder, `${files++}`)
        const stream = new FileStream(openSync(path, 'w'))
        const written = stream.write(bytes)
        stream.close()
        return [written, new Uint8Array(readFileSync(path))]
      },
    ],
  ],
  ['linux: parseLinkEvents', [linkMessage(), (bytes) => parseLinkEvents(bytes)]],
  [
    'linux: MachineCode.of',
    [
      // The one function of both: it returns at once.
      process.arch === 'arm64' ? Uint8Array.of(0xc0, 0x03, 0x5f, 0xd6) : Uint8Array.of(0xc3),
      (bytes) => MachineCode.of(bytes, process.arch).unmap(),
    ],
  ],
  [
    'vhost-user-blk: FileStore.write',
    [
      new Uint8Array(512).fill(7),
      (bytes) => {
        const path = diskFile()
        const store = new FileStore(path)
        store.write(0, [bytes])
        store.close()
        return new Uint8Array(readFileSync(path))
      },
    ],
  ],
  [
    'vhost-user-net: NetDevice.sendRarp',
    [
      Uint8Array.of(2, 0, 0, 0, 0, 9),
      (bytes) => {
        const sentFrames: Uint8Array[] = []
        const backend = Object.assign(new DropBackend(), {
          transmit: ({ view, length, headerBytes }: FrameBatch) =>
            sentFrames.push(view.u8.slice(headerBytes, length[0]!)),
        })
        new NetDevice({ accessor: vmapDirect, backend: () => backend }).sendRarp(bytes)
        return sentFrames
      },
    ],
  ],
])

/** One RTM_NEWLINK of interface 3, `tap0`, up. */
function linkMessage(): Uint8Array {
  const bytes = new Uint8Array(16 + 16 + 12)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, bytes.length, true)
  view.setUint16(4, 16, true)
  view.setInt32(20, 3, true)
  view.setUint32(24, 1, true)
  view.setUint16(32, 9, true)
  view.setUint16(34, 3, true)
  bytes.set(new TextEncoder().encode('tap0'), 36)
  return bytes
}

function diskFile(): string {
  const path = join(folder, `${files++}.img`)
  writeFileSync(path, new Uint8Array(512).fill(3))
  return path
}

/** What writes into bytes that it is given: the bytes before, and the call. It touches nothing around them. */
const WRITERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['backend-af-xdp: completeChecksum', [frame, (bytes) => completeChecksum(bytes, 0, 64, 34, 6)]],
  ['backend-af-xdp: completePartialChecksum', [frame, (bytes) => completePartialChecksum(bytes, 0, 64)]],
  ['backend-pcap: ByteSource.read', [new Uint8Array(16), (bytes) => bytesSource(capture).read(bytes, 4, 12)]],
  [
    'ebpf: RawProgram.run',
    [
      frame,
      async (bytes) => {
        const store = encode([
          { kind: 'store', base: 1, offset: 60, bytes: 4, source: -1, immediate: 0x01020304 },
          { kind: 'load', destination: 0, base: 1, offset: 12, bytes: 2, signed: false },
          { kind: 'exit' },
        ])
        return (await loadRawProgram({ name: 'p', code: store }, { memoryBytes: 64 })).run(bytes)
      },
    ],
  ],
  ['linux: UnixSocket.receive', [new Uint8Array(64), (bytes) => received((socket) => socket.receive(bytes, []))]],
  ['vhost-user: Transport.receive', [new Uint8Array(64), (bytes) => received((socket) => socket.receive(bytes, []))]],
  [
    'linux: FileStream.read',
    [
      new Uint8Array(64),
      (bytes) => {
        const path = join(folder, `${files++}`)
        writeFileSync(path, frame)
        const stream = new FileStream(openSync(path, 'r'))
        const read = stream.read(bytes)
        stream.close()
        return read
      },
    ],
  ],
  ['memory: DirtyBitmap.constructor', [new Uint8Array(8), (bytes) => new DirtyBitmap(bytes).write(5 * 4096, 3 * 4096)]],
  [
    'vhost-user-blk: FileStore.read',
    [
      new Uint8Array(512),
      (bytes) => {
        const store = new FileStore(diskFile())
        store.read(0, [bytes])
        store.close()
      },
    ],
  ],
  [
    'vhost-user-blk: BlockDevice.readConfig',
    [
      new Uint8Array(8),
      (bytes) => {
        const store = new FileStore(diskFile())
        new BlockDevice({ store }).readConfig(0, bytes)
        store.close()
      },
    ],
  ],
  [
    'vhost-user-net: NetDevice.readConfig',
    [
      new Uint8Array(8),
      (bytes) => new NetDevice({ accessor: vmapDirect, backend: () => new DropBackend() }).readConfig(0, bytes),
    ],
  ],
  ['xdp: XdpContext.setFrame', [frame, swapped((context, bytes) => context.setFrame(bytes, 0, bytes.length))]],
  [
    'xdp: XdpContext.addFragment',
    [
      frame,
      (bytes) => {
        const context = new XdpContext()
        context.setFrame(frame.slice(), 0, 14)
        context.addFragment(bytes, 0, 50, 14)
        return [context.adjustTail(14), context.adjustTail(1), context.frameBytes]
      },
    ],
  ],
  ['xdp: XdpContext.constructor', [frame, (bytes) => new XdpContext(bytes).u8.length]],
  [
    'xdp: lookUpRoute',
    [new Uint8Array(64), (bytes) => lookUpRoute([], new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0)],
  ],
  ['xdp: swapMacs', [frame, (bytes) => swapMacs(bytes, 0)]],
])

/** Sends a frame to a socket from which `receive` takes it. */
function received(receive: (socket: UnixSocket) => number): unknown {
  const [one, other] = UnixSocket.pair()
  one.send(frame)
  const bytes = receive(other)
  one.close()
  other.close()
  return bytes
}

/** A program that exchanges MAC addresses, on a frame. */
function swapped(place: (context: XdpContext, bytes: Uint8Array) => void): (bytes: Uint8Array) => unknown {
  return async (bytes) => {
    const file = new Uint8Array(readFileSync(join(import.meta.dirname, '../packages/xdp/fixtures/xdp2.v3.o')))
    const context = new XdpContext()
    place(context, bytes)
    return (await loadEbpf(file)).run(context)
  }
}

/** What is tested elsewhere, or has nothing to be tested here, and why. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ...[
    'backend-tap: TapPeer.write',
    'ebpf: KernelXdpObject.load',
    'linux: BpfMap.delete',
    'linux: BpfMap.lookup',
    'linux: BpfMap.update',
    'linux: KernelXdpProgram.testRun',
  ].map((name) => [name, 'needs root; the kernel is given a copy'] as const),
  ...[
    'vhost-user: DeviceRequest.read',
    'vhost-user: DeviceRequest.write',
    'vhost-user: DriverRing.send',
    'vhost-user: VhostUserDriver.request',
    'testkit: WorldDriver.store',
  ].map((name) => [name, 'copies from or to the memory of a session, in the tests of its package'] as const),
  ...[
    'vhost-user: StateStream.read',
    'vhost-user: StateStream.write',
    'vhost-user: VhostUserDevice.loadState',
    'vhost-user: VhostUserDevice.readConfig',
    'vhost-user: VhostUserDevice.sendRarp',
    'vhost-user: VhostUserDevice.writeConfig',
    'vhost-user-blk: AsyncBlockStore.read',
    'vhost-user-blk: AsyncBlockStore.write',
    'vhost-user-blk: BlockStore.read',
    'vhost-user-blk: BlockStore.write',
  ].map((name) => [name, 'an interface that the caller implements'] as const),
  ['vhost-user: PayloadCodec.decode', 'takes a view of what decodeMessage was given'],
  ['ebpf: Machine.bindPacket', 'points at memory, and copies nothing'],
  ['ebpf: Machine.setScratch', 'points at memory, and copies nothing'],
  ['linux: roundTripEnd', 'memory that two threads share by contract'],
  ['linux: XdpSocketView.constructor', 'memory that the kernel and threads share by contract'],
  ['backend-pcap: ReplayClock.constructor', 'memory that two threads share by contract'],
])

describe('bytes', () => {
  test('everything that takes them by the reports of the API is in one table', () => {
    const known = [...READERS.keys(), ...WRITERS.keys(), ...ELSEWHERE.keys()].sort()
    expect(new Set(known).size).toBe(known.length)
    expect(known).toEqual(takersOfBytes())
  })

  describe.each([...READERS])('%s', (_name, [input, read]) => {
    test.each(BACKINGS)('reads them from %s, which stays as it is', async (_backing, hold) => {
      const expected = await read(new Uint8Array(input))
      const { bytes, all } = hold(input)
      const before = new Uint8Array(all)
      expect(await read(bytes)).toEqual(expected)
      expect(sameBytes(all, before)).toBe(true)
    })
  })

  describe.each([...WRITERS])('%s', (_name, [input, write]) => {
    test.each(BACKINGS)('writes into %s and nowhere around it', async (_backing, hold) => {
      const plain = new Uint8Array(input)
      const expected = await write(plain)
      const { bytes, all } = hold(input)
      expect(await write(bytes)).toEqual(expected)
      expect(new Uint8Array(bytes)).toEqual(plain)
      const at = bytes.byteOffset
      const around = [...all.subarray(0, at), ...all.subarray(at + bytes.length)]
      expect(around.every((byte) => byte === 0xa5)).toBe(true)
    })
  })
})
