import { PROTOCOL_F_REPLY_ACK } from '@vring/vhost-user'
import type { Bench } from '../bench.ts'
import { type Case, check, same } from '../case.ts'
import { message, vhostUser } from '../clause.ts'
import type { DeviceRequest } from '../device/profile.ts'
import type { Queue } from '../driver/queue.ts'
import type { Session } from '../driver/session.ts'
import type { SharedMemory } from '../driver/shared-memory.ts'
import { memoryTable, type Region } from '../wire/payloads.ts'

const TABLE = message('SET_MEM_TABLE')
const MIB = 1 << 20
const ACK = [PROTOCOL_F_REPLY_ACK]
/** A region far from the default one. */
const SECOND = { bytes: MIB, guestAddress: 64 * MIB, userAddress: 2 ** 41 }

/** A request whose buffers lie in another memory than the ring. */
export function submitFrom(session: Session, queue: Queue, memory: SharedMemory): DeviceRequest {
  const request = session.profile.request(memory)
  queue.ring.add(request.chain)
  queue.ring.publish()
  queue.kick()
  return request
}

function one(
  id: string,
  level: Case['level'],
  title: string,
  run: (bench: Bench) => void,
  needs: Case['needs'] = { device: 'any known' },
): Case {
  return { id: `memory/${id}`, title, clause: TABLE, level, needs, run }
}

/** Tables that no back-end can map: name, what is wrong, the regions made of a good one, how many descriptors come. */
const BAD_TABLES: readonly {
  name: string
  title: string
  regions(good: Region): Region[]
  fds?: number
  count?: number
}[] = [
  { name: 'no-descriptor', title: 'a table without its descriptor', regions: (good) => [good], fds: 0 },
  {
    name: 'surplus-descriptor',
    title: 'a table of one region with two descriptors',
    regions: (good) => [good],
    fds: 2,
  },
  {
    name: 'beyond-file',
    title: 'a region that is larger than its file',
    regions: (good) => [{ ...good, size: 2 ** 32 }],
  },
  {
    name: 'offset-beyond-file',
    title: 'a region that begins past the end of its file',
    regions: (good) => [{ ...good, mmapOffset: 2 ** 32 }],
  },
  {
    name: 'size-wraps',
    title: 'a region whose offset and size wrap',
    regions: (good) => [{ ...good, mmapOffset: 2n ** 64n - 4096n }],
  },
  {
    name: 'guest-wraps',
    title: 'a region whose guest addresses wrap',
    regions: (good) => [{ ...good, guestAddress: 2n ** 64n - 4096n }],
  },
  { name: 'size-zero', title: 'a region of no bytes', regions: (good) => [{ ...good, size: 0 }] },
  { name: 'count-lies', title: 'a table that counts more regions than it has', regions: (good) => [good], count: 8 },
  { name: 'count-huge', title: 'a table that counts 2^32 - 1 regions', regions: (good) => [good], count: 0xffff_ffff },
]

const badTables: readonly Case[] = BAD_TABLES.map(({ name, title, regions, fds, count }) =>
  one(
    `bad-${name}`,
    'robustness',
    `${title} is refused`,
    (bench) => {
      const session = bench.open({ unshared: true })
      const { region, fd } = session.memory
      const list = regions(region)
      const outcome = session.connection.attempt(
        'SET_MEM_TABLE',
        memoryTable(list, count),
        new Array(fds ?? list.length).fill(fd),
      )
      check(outcome !== 'done', 'it is acknowledged')
      check(outcome !== 'silent', 'need_reply is not answered, and the connection stands')
    },
    { protocol: ACK },
  ),
)

/** Where memory is, and where there is none any more. */
export const memory: readonly Case[] = [
  one('two-regions', 'MUST', 'buffers may lie in another region than the ring', (bench) => {
    const second = bench.memory(SECOND)
    const session = bench.open({ memories: [bench.memory(), second] })
    const queue = session.startDevice()
    for (let round = 0; round < 3; round++) {
      const request = submitFrom(session, queue, second)
      for (const used of queue.used(1)) request.check(used)
    }
  }),
  one('eight-regions', 'MUST', 'a table of 8 regions is taken, and each of them is used', (bench) => {
    const memories = Array.from({ length: 8 }, (_, n) =>
      bench.memory({ bytes: MIB, guestAddress: (1 + 2 * n) * 16 * MIB, userAddress: 2 ** 41 + n * 2 ** 32 }),
    )
    const session = bench.open({ memories })
    const queue = session.startDevice()
    for (const memory of memories) {
      const request = submitFrom(session, queue, memory)
      for (const used of queue.used(1)) request.check(used)
    }
  }),
  one('mmap-offset', 'MUST', 'a region begins at its mmap offset in the file', (bench) => {
    const session = bench.open({ memories: [bench.memory({ mmapOffset: MIB })] })
    session.work(session.startDevice(), 3)
  }),
  one('high-guest-address', 'MUST', 'guest addresses above 4 GiB are reached', (bench) => {
    const session = bench.open({ memories: [bench.memory({ guestAddress: 2 ** 38 })] })
    session.work(session.startDevice(), 3)
  }),
  one('guest-zero', 'MUST', 'guest address 0 is an address like any other', (bench) => {
    const session = bench.open({ memories: [bench.memory({ guestAddress: 0 })] })
    session.work(session.startDevice(), 3)
  }),
  one('across-regions', 'SHOULD', 'a buffer may cross from one region into the next', (bench) => {
    const first = bench.memory({ bytes: MIB, guestAddress: 64 * MIB, userAddress: 2 ** 41 })
    const second = bench.memory({ bytes: MIB, guestAddress: 65 * MIB, userAddress: 2 ** 42 })
    const session = bench.open({ memories: [bench.memory(), first, second] })
    const queue = session.startDevice()
    const request = session.profile.request(session.memory)
    // The request's first buffer is copied to the border: its first bytes into one region, the rest into the next.
    const [piece, ...rest] = request.chain
    const from = Number(piece!.address) - session.memory.guestAddress
    const bytes = session.memory.bytes.slice(from, from + piece!.length)
    first.bytes.set(bytes.subarray(0, 8), MIB - 8)
    second.bytes.set(bytes.subarray(8), 0)
    queue.ring.add([{ ...piece!, address: 65 * MIB - 8 }, ...rest])
    queue.ring.publish()
    queue.kick()
    for (const used of queue.used(1)) request.check(used)
  }),
  one('same-again', 'SHOULD', 'the same table again while rings run: they go on', (bench) => {
    const session = bench.open()
    const queue = session.startDevice()
    for (let round = 0; round < 3; round++) {
      session.work(queue, 3)
      session.shareMemory()
    }
    session.work(queue, 3)
  }),
  one(
    'more-while-running',
    'SHOULD',
    'a table with one more region while rings run: they go on, and reach it',
    (bench) => {
      const session = bench.open()
      const queue = session.startDevice()
      session.work(queue, 3)
      const second = bench.memory(SECOND)
      session.shareMemory([session.memory, second])
      const request = submitFrom(session, queue, second)
      for (const used of queue.used(1)) request.check(used)
      session.work(queue, 3)
    },
  ),
  one(
    'replaced-while-stopped',
    'MUST',
    'a table that replaces all memory while rings are stopped is what they use then',
    (bench) => {
      const session = bench.open()
      const queue = session.startDevice()
      session.work(queue, 3)
      for (const one of session.queues.values()) one.stop()
      const other = bench.memory()
      session.shareMemory([other])
      for (const index of session.profile.queues) session.queue(index, { memory: other }).start()
      const next = session.queues.get(session.profile.requestQueue)!
      session.work(next, 3)
      check(session.memory.load16(queue.ring.device + 2) <= 3, 'the ring in the memory that went away was written')
    },
  ),
  {
    ...one(
      'addresses-cross',
      'MUST',
      'rings go by user addresses and buffers by guest addresses, whatever the other is',
      (bench) => {
        // The user addresses of each region are the guest addresses of the other one.
        const [low, high] = [16 * MIB, 64 * MIB]
        const first = bench.memory({ guestAddress: low, userAddress: high })
        const second = bench.memory({ guestAddress: high, userAddress: low })
        const session = bench.open({ memories: [first, second] })
        session.work(session.startDevice(), 3)
      },
    ),
    clause: vhostUser('Memory access'),
  },
  one(
    'longer-than-needed',
    'SHOULD',
    'a table with room for more regions than it counts is taken, as Linux virtio_uml sends it',
    (bench) => {
      const session = bench.open({ unshared: true })
      const { region, fd } = session.memory
      const table = new Uint8Array(8 + 2 * 32)
      table.set(memoryTable([region]))
      same(session.connection.status('SET_MEM_TABLE', table, [fd]), 0n, 'the status')
    },
    { protocol: ACK },
  ),
  one(
    'empty',
    'robustness',
    'an empty table leaves the connection in step',
    (bench) => {
      const session = bench.open({ unshared: true })
      const outcome = session.connection.attempt('SET_MEM_TABLE', memoryTable([]))
      if (outcome !== 'closed') session.connection.isInStep()
    },
    { protocol: ACK },
  ),
  one('shrunk-file', 'robustness', 'a file that is shortened under the back-end does not end it', (bench) => {
    const second = bench.memory({ ...SECOND, sealed: false })
    const session = bench.open({ memories: [bench.memory(), second] })
    const queue = session.startDevice()
    const request = session.profile.request(second)
    second.truncate()
    queue.ring.add(request.chain)
    queue.ring.publish()
    queue.kick()
    queue.settle(100)
    session.connection.isInStep()
  }),
  ...badTables,
]
