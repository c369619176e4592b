import { UnixSocket } from '@vring/linux'
import { PROTOCOL_F_CONFIGURE_MEM_SLOTS, PROTOCOL_F_REPLY_ACK } from '@vring/vhost-user'
import type { Bench } from '../bench.ts'
import { type Case, check, same } from '../case.ts'
import { message } from '../clause.ts'
import { waitFor } from '../driver/pause.ts'
import type { Session } from '../driver/session.ts'
import type { SharedMemory } from '../driver/shared-memory.ts'
import { singleRegion } from '../wire/payloads.ts'
import { submitFrom } from './memory.ts'

const SLOTS = [PROTOCOL_F_REPLY_ACK, PROTOCOL_F_CONFIGURE_MEM_SLOTS]
const MIB = 1 << 20
/** More slots than this are not tried out. */
const SLOTS_TRIED = 512

/** A session without a table. */
function open(bench: Bench, memories?: readonly SharedMemory[]): Session {
  const options = { protocol: SLOTS, unshared: true }
  return bench.open(memories === undefined ? options : { ...options, memories })
}

function add(session: Session, memory: SharedMemory): void {
  session.tell('ADD_MEM_REG', singleRegion(memory.region), [memory.fd])
}

function remove(session: Session, memory: SharedMemory): void {
  session.tell('REM_MEM_REG', singleRegion(memory.region))
}

function one(id: string, request: string, level: Case['level'], title: string, run: Case['run'], device = true): Case {
  const needs = device ? { protocol: SLOTS, device: 'any known' as const } : { protocol: SLOTS }
  return { id: `slots/${id}`, title, clause: message(request), level, needs, run }
}

/** Regions one by one. */
export const memorySlots: readonly Case[] = [
  one(
    'max',
    'GET_MAX_MEM_SLOTS',
    'MUST',
    'GET_MAX_MEM_SLOTS answers at least 1',
    (bench) => {
      check(open(bench).connection.askU64('GET_MAX_MEM_SLOTS') >= 1n, 'it answers 0')
    },
    false,
  ),
  one('add', 'ADD_MEM_REG', 'MUST', 'rings work in a region that was added', (bench) => {
    const session = open(bench)
    add(session, session.memory)
    session.work(session.startDevice(), 3)
  }),
  one('add-while-running', 'ADD_MEM_REG', 'MUST', 'a region that is added while rings run is reached', (bench) => {
    const session = open(bench)
    add(session, session.memory)
    const queue = session.startDevice()
    session.work(queue, 3)
    const second = bench.memory({ bytes: MIB, guestAddress: 64 * MIB, userAddress: 2 ** 41 })
    add(session, second)
    const request = submitFrom(session, queue, second)
    for (const used of queue.used(1)) request.check(used)
    session.work(queue, 3)
  }),
  one(
    'remove-while-running',
    'REM_MEM_REG',
    'MUST',
    'rings go on when a region that they do not use is removed',
    (bench) => {
      const session = open(bench)
      const second = bench.memory({ bytes: MIB, guestAddress: 64 * MIB, userAddress: 2 ** 41 })
      add(session, session.memory)
      add(session, second)
      const queue = session.startDevice()
      session.work(queue, 3)
      remove(session, second)
      session.work(queue, 3)
    },
  ),
  one(
    'remove-add',
    'REM_MEM_REG',
    'MUST',
    'another file may take the addresses of a region that was removed',
    (bench) => {
      const session = open(bench)
      const where = { bytes: MIB, guestAddress: 64 * MIB, userAddress: 2 ** 41 }
      add(session, session.memory)
      const queue = session.startDevice()
      for (let round = 0; round < 3; round++) {
        const second = bench.memory(where)
        add(session, second)
        const request = submitFrom(session, queue, second)
        for (const used of queue.used(1)) request.check(used)
        remove(session, second)
      }
    },
  ),
  one('removed-untouched', 'REM_MEM_REG', 'MUST', 'a region that was removed is not accessed any more', (bench) => {
    const session = open(bench)
    const second = bench.memory({ bytes: MIB, guestAddress: 64 * MIB, userAddress: 2 ** 41 })
    add(session, session.memory)
    add(session, second)
    const queue = session.startDevice()
    session.work(queue)
    remove(session, second)
    const request = session.profile.request(second)
    const before = Buffer.from(second.bytes)
    queue.ring.add(request.chain)
    queue.ring.publish()
    queue.kick()
    queue.settle(50)
    check(before.equals(second.bytes), 'memory that was removed has changed')
  }),
  one(
    'remove-unknown',
    'REM_MEM_REG',
    'robustness',
    'removing a region that was never added is refused',
    (bench) => {
      const session = open(bench)
      const outcome = session.connection.attempt('REM_MEM_REG', singleRegion(session.memory.region))
      check(outcome === 'refused' || outcome === 'closed', `REM_MEM_REG: ${outcome}`)
    },
    false,
  ),
  one(
    'remove-closes',
    'REM_MEM_REG',
    'MUST',
    'a descriptor that comes with REM_MEM_REG is closed, not used',
    (bench) => {
      const session = open(bench)
      add(session, session.memory)
      const [ours, theirs] = UnixSocket.pair().map((socket) => bench.own(socket)) as [UnixSocket, UnixSocket]
      session.tell('REM_MEM_REG', singleRegion(session.memory.region), [theirs.fd])
      theirs.close()
      check(hangsUp(ours, session.connection.patienceMs), 'the descriptor is still open')
    },
    false,
  ),
  one(
    'add-without-descriptor',
    'ADD_MEM_REG',
    'robustness',
    'ADD_MEM_REG without a descriptor is refused',
    (bench) => {
      const session = open(bench)
      const outcome = session.connection.attempt('ADD_MEM_REG', singleRegion(session.memory.region))
      check(outcome === 'refused' || outcome === 'closed', `ADD_MEM_REG: ${outcome}`)
    },
    false,
  ),
  one(
    'add-overlap',
    'ADD_MEM_REG',
    'robustness',
    'a region that overlaps another one is refused',
    (bench) => {
      const session = open(bench)
      add(session, session.memory)
      const { region } = session.memory
      const other = bench.memory()
      const moved = { ...region, guestAddress: Number(region.guestAddress) + 4096, size: MIB }
      const outcome = session.connection.attempt('ADD_MEM_REG', singleRegion(moved), [other.fd])
      check(outcome === 'refused' || outcome === 'closed', `ADD_MEM_REG: ${outcome}`)
    },
    false,
  ),
  one(
    'all',
    'GET_MAX_MEM_SLOTS',
    'MUST',
    'as many regions as GET_MAX_MEM_SLOTS says can be added',
    (bench) => {
      const session = open(bench)
      const most = Math.min(SLOTS_TRIED, Number(session.connection.askU64('GET_MAX_MEM_SLOTS')))
      const memory = session.memory
      for (let slot = 0; slot < most; slot++) {
        const region = {
          guestAddress: (16 + slot) * MIB,
          userAddress: 2 ** 41 + slot * MIB,
          size: 4096,
          mmapOffset: 4096 * (slot % 256),
        }
        same(
          session.connection.status('ADD_MEM_REG', singleRegion(region), [memory.fd]),
          0n,
          `the status of region ${slot}`,
        )
      }
    },
    false,
  ),
  one(
    'beyond-all',
    'GET_MAX_MEM_SLOTS',
    'robustness',
    'a region beyond the last slot is refused',
    (bench) => {
      const session = open(bench)
      const most = Number(session.connection.askU64('GET_MAX_MEM_SLOTS'))
      const memory = session.memory
      for (let slot = 0; slot <= Math.min(most, SLOTS_TRIED); slot++) {
        const region = {
          guestAddress: (16 + slot) * MIB,
          userAddress: 2 ** 41 + slot * MIB,
          size: 4096,
          mmapOffset: 4096 * (slot % 256),
        }
        const outcome = session.connection.attempt('ADD_MEM_REG', singleRegion(region), [memory.fd])
        if (outcome === 'closed') return
        if (slot === most) same(outcome, 'refused', 'the region beyond the last slot')
      }
    },
    false,
  ),
]

/** Has the other end been closed everywhere? */
export function hangsUp(socket: UnixSocket, timeoutMs: number): boolean {
  const bytes = new Uint8Array(16)
  return waitFor(() => {
    try {
      return socket.receive(bytes, []) === 0
    } catch {
      return true
    }
  }, timeoutMs)
}
