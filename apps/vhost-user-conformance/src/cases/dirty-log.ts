import { featureSet, VHOST_F_LOG_ALL, VIRTIO_F_RING_PACKED } from '@vring/layout'
import { FLAG_NEED_REPLY, PROTOCOL_F_LOG_SHMFD, PROTOCOL_F_REPLY_ACK } from '@vring/vhost-user'
import type { Bench } from '../bench.ts'
import { type Case, check, fail, same } from '../case.ts'
import { message, vhostUser } from '../clause.ts'
import { waitFor } from '../driver/pause.ts'
import type { Queue } from '../driver/queue.ts'
import type { Session } from '../driver/session.ts'
import { PAGE_BYTES, type SharedMemory } from '../driver/shared-memory.ts'
import { logArea, u64 } from '../wire/payloads.ts'

const MIGRATION = vhostUser('Migration')
const LOG = [PROTOCOL_F_LOG_SHMFD, PROTOCOL_F_REPLY_ACK]
const LOG_ALL = featureSet(VHOST_F_LOG_ALL)
/** Bytes of the log: 4096 pages of 4 KiB for each 512, so all of the judge's memory is covered. */
const LOG_BYTES = 4096

/** The dirty log, seen by the front-end. */
class Log {
  readonly file: SharedMemory
  readonly offset: number

  constructor(bench: Bench, offset = 0) {
    this.file = bench.memory({ bytes: offset + 2 * LOG_BYTES })
    this.offset = offset
  }

  /** Pages that are marked. */
  get pages(): number[] {
    const pages: number[] = []
    for (let page = 0; page < 8 * LOG_BYTES; page++)
      if (((this.file.bytes[this.offset + (page >> 3)]! >> (page & 7)) & 1) !== 0) pages.push(page)
    return pages
  }

  clear(): void {
    this.file.bytes.fill(0)
  }

  /** SET_LOG_BASE, which is answered by itself. */
  send(session: Session, bytes: number = LOG_BYTES): void {
    session.connection.send('SET_LOG_BASE', logArea(bytes, this.offset), [this.file.fd])
    session.connection.answer('SET_LOG_BASE')
  }
}

interface Rig {
  readonly session: Session
  readonly queue: Queue
  readonly log: Log
}

/** A device at work whose writes are logged, as QEMU turns it on: log, features, then each ring's address. */
function logging(bench: Bench, packed = false, offset = 0): Rig {
  const session = bench.open({ protocol: [PROTOCOL_F_LOG_SHMFD], packed })
  const queue = session.startDevice()
  session.work(queue, 2)
  const log = new Log(bench, offset)
  log.send(session)
  turn(session, true)
  return { session, queue, log }
}

function turn(session: Session, on: boolean): void {
  session.tell('SET_FEATURES', u64(on ? session.features | LOG_ALL : session.features))
  for (const queue of session.queues.values()) queue.sendAddress(on)
}

function pageOf(memory: SharedMemory, offset: number): number {
  return Math.floor(memory.guest(offset) / PAGE_BYTES)
}

function marked(log: Log, page: number, what: string): void {
  // The mark may come after the used index: a front-end reads the log later.
  if (!waitFor(() => log.pages.includes(page), 200)) fail(`page ${page}, ${what}, is not marked; marked: ${log.pages}`)
}

const needs = { device: 'any known', protocol: LOG, features: [VHOST_F_LOG_ALL] } as const

function one(id: string, level: Case['level'], title: string, run: Case['run'], more: Case['needs'] = {}): Case {
  return { id: `log/${id}`, title, clause: MIGRATION, level, needs: { ...needs, ...more }, run }
}

/** What a front-end that migrates learns of the device's writes. */
export const dirtyLog: readonly Case[] = [
  {
    id: 'log/base-answered',
    title: 'SET_LOG_BASE is answered without need_reply',
    clause: message('SET_LOG_BASE'),
    level: 'MUST',
    needs: { protocol: LOG },
    run(bench) {
      const session = bench.open({ protocol: LOG })
      new Log(bench).send(session)
      check(session.connection.isInStep(), 'the back-end hung up after it')
    },
  },
  {
    id: 'log/base-answered-once',
    title: 'SET_LOG_BASE without REPLY_ACK acknowledged is answered, once',
    clause: vhostUser('Communication'),
    level: 'MUST',
    needs: { protocol: [PROTOCOL_F_LOG_SHMFD] },
    run(bench) {
      const session = bench.open({ protocol: [PROTOCOL_F_LOG_SHMFD], withoutReplyAck: true })
      new Log(bench).send(session)
      check(session.connection.isInStep(), 'the back-end hung up after it')
    },
  },
  {
    id: 'log/base-status',
    title: 'SET_LOG_BASE with need_reply is answered by a 64-bit 0, once',
    clause: vhostUser('VHOST_USER_PROTOCOL_F_REPLY_ACK'),
    level: 'MUST',
    needs: { protocol: LOG },
    run(bench) {
      const session = bench.open({ protocol: LOG })
      const { file } = new Log(bench)
      session.connection.send('SET_LOG_BASE', logArea(LOG_BYTES, 0), [file.fd], FLAG_NEED_REPLY)
      const { payload } = session.connection.answer('SET_LOG_BASE')
      same(payload.byteLength, 8, 'the size of the answer')
      same(payload.getBigUint64(0, true), 0n, 'the status')
      check(session.connection.isInStep(), 'the back-end hung up after it')
    },
  },
  {
    id: 'log/base-without-descriptor',
    title: 'SET_LOG_BASE without a descriptor is refused',
    clause: message('SET_LOG_BASE'),
    level: 'robustness',
    needs: { protocol: LOG },
    run(bench) {
      const outcome = bench.open({ protocol: LOG }).connection.attempt('SET_LOG_BASE', logArea(LOG_BYTES, 0))
      check(outcome === 'refused' || outcome === 'closed', `SET_LOG_BASE: ${outcome}`)
    },
  },
  {
    id: 'log/base-beyond-file',
    title: 'a log that is larger than its file does not end the back-end',
    clause: message('SET_LOG_BASE'),
    level: 'robustness',
    needs: { protocol: LOG, device: 'any known', features: [VHOST_F_LOG_ALL] },
    run(bench) {
      const session = bench.open({ protocol: LOG })
      const queue = session.startDevice()
      const { file } = new Log(bench)
      const outcome = session.connection.attempt('SET_LOG_BASE', logArea(2 ** 32, file.size), [file.fd])
      if (outcome === 'closed') return
      session.connection.attempt('SET_FEATURES', u64(session.features | LOG_ALL))
      session.connection.attempt('SET_VRING_ADDR', queue.addressPayload(true))
      session.submit(queue)
      queue.kick()
      queue.settle(50)
    },
  },
  one('used-ring', 'MUST', 'a write to the used ring is marked at its log address', (bench) => {
    const { session, queue, log } = logging(bench)
    session.work(queue)
    marked(log, pageOf(queue.ring.memory, queue.ring.device), 'the used ring')
  }),
  one(
    'used-ring-packed',
    'MUST',
    'packed: a used descriptor is marked',
    (bench) => {
      const { session, queue, log } = logging(bench, true)
      session.work(queue)
      if (!waitFor(() => log.pages.length > 0, 200)) fail('no page is marked')
    },
    { features: [VHOST_F_LOG_ALL, VIRTIO_F_RING_PACKED] },
  ),
  one(
    'data',
    'MUST',
    'a write to a buffer is marked at its guest address',
    (bench) => {
      const { session, queue, log } = logging(bench)
      queue.ring.memory.take(PAGE_BYTES, PAGE_BYTES)
      const request = session.profile.request(queue.ring.memory)
      queue.ring.add(request.chain)
      queue.ring.publish()
      queue.kick()
      for (const used of queue.used(1)) request.check(used)
      const { address } = request.chain.find(({ writable }) => writable)!
      marked(log, Math.floor(Number(address) / PAGE_BYTES), 'of the data')
    },
    { device: 'blk' },
  ),
  one('only-written', 'SHOULD', 'pages that the device does not write are not marked', (bench) => {
    const { session, queue, log } = logging(bench)
    const request = session.profile.request(queue.ring.memory)
    queue.ring.add(request.chain)
    queue.ring.publish()
    queue.kick()
    queue.used(1)
    for (const [name, offset] of [
      ['descriptors', queue.ring.desc],
      ['available ring', queue.ring.driver],
    ] as const)
      check(!log.pages.includes(pageOf(queue.ring.memory, offset)), `the page of the ${name} is marked`)
  }),
  one('offset', 'MUST', 'the log begins at its offset in the file', (bench) => {
    const { session, queue, log } = logging(bench, false, PAGE_BYTES)
    session.work(queue)
    marked(log, pageOf(queue.ring.memory, queue.ring.device), 'the used ring')
    check(
      log.file.bytes.subarray(0, PAGE_BYTES).every((byte) => byte === 0),
      'bytes before the offset were written',
    )
  }),
  one('turned-off', 'MUST', 'nothing is marked after LOG_ALL was taken back', (bench) => {
    const { session, queue, log } = logging(bench)
    session.work(queue)
    turn(session, false)
    log.clear()
    session.work(queue, 3)
    same(log.pages.length, 0, 'the number of pages that are marked')
  }),
  one('turned-on-again', 'MUST', 'logging may be turned on again', (bench) => {
    const { session, queue, log } = logging(bench)
    turn(session, false)
    session.work(queue)
    turn(session, true)
    log.clear()
    session.work(queue)
    marked(log, pageOf(queue.ring.memory, queue.ring.device), 'the used ring')
  }),
  one('other-log', 'SHOULD', 'SET_LOG_BASE replaces the log while rings run', (bench) => {
    const { session, queue, log } = logging(bench)
    const other = new Log(bench)
    other.send(session)
    log.clear()
    session.work(queue)
    marked(other, pageOf(queue.ring.memory, queue.ring.device), 'the used ring')
    same(log.pages.length, 0, 'pages that are marked in the old log')
  }),
  one('not-before', 'SHOULD', 'nothing is marked before LOG_ALL is acknowledged', (bench) => {
    const session = bench.open({ protocol: [PROTOCOL_F_LOG_SHMFD] })
    const queue = session.startDevice()
    const log = new Log(bench)
    log.send(session)
    session.work(queue, 3)
    same(log.pages.length, 0, 'the number of pages that are marked')
  }),
  one(
    'too-small',
    'robustness',
    'a log that is too small for the memory is refused, or nothing past its end is written',
    (bench) => {
      const session = bench.open({ protocol: [PROTOCOL_F_LOG_SHMFD] })
      const queue = session.startDevice()
      session.work(queue)
      const log = new Log(bench)
      const outcome = session.connection.attempt('SET_LOG_BASE', logArea(8, 0), [log.file.fd])
      if (outcome === 'closed') return
      session.connection.attempt('SET_FEATURES', u64(session.features | LOG_ALL))
      session.connection.attempt('SET_VRING_ADDR', queue.addressPayload(true))
      session.submit(queue)
      queue.kick()
      queue.settle(50)
      check(
        log.file.bytes.subarray(8).every((byte) => byte === 0),
        'bytes past the end of the log were written',
      )
    },
  ),
]
