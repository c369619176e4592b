import { VIRTIO_F_ACCESS_PLATFORM } from '@vring/layout'
import { UnixSocket } from '@vring/linux'
import { FLAG_NEED_REPLY, FLAG_REPLY, PROTOCOL_F_BACKEND_REQ, PROTOCOL_F_REPLY_ACK } from '@vring/vhost-user'
import type { Bench } from '../bench.ts'
import { type Case, check, fail, same } from '../case.ts'
import { message, vhostUser } from '../clause.ts'
import type { Queue } from '../driver/queue.ts'
import type { Session } from '../driver/session.ts'
import { Connection, type Message } from '../wire/connection.ts'
import {
  IOTLB_INVALIDATE,
  IOTLB_MISS,
  IOTLB_READ,
  IOTLB_UPDATE,
  IOTLB_WRITE,
  iotlbMessage,
  u64,
} from '../wire/payloads.ts'

const IOMMU = vhostUser('IOMMU support')
const MIB = 1 << 20
const BOTH = IOTLB_READ | IOTLB_WRITE
const needs = {
  features: [VIRTIO_F_ACCESS_PLATFORM],
  protocol: [PROTOCOL_F_BACKEND_REQ, PROTOCOL_F_REPLY_ACK],
  device: 'any known',
} as const
/** VHOST_USER_BACKEND_IOTLB_MSG, a request of the back-end. */
const BACKEND_IOTLB_MSG = 1

interface Rig {
  readonly session: Session
  /** Where the back-end asks. */
  readonly channel: Connection
}

/** A session whose addresses are IOVAs: those of the memory object, which no region of the table has. */
function open(bench: Bench): Rig {
  const memory = bench.memory({ guestAddress: 512 * MIB, regionGuestAddress: 16 * MIB })
  const session = bench.open({
    features: [VIRTIO_F_ACCESS_PLATFORM],
    protocol: [PROTOCOL_F_BACKEND_REQ],
    memories: [memory],
  })
  const [ours, theirs] = UnixSocket.pair()
  const channel = bench.own(new Connection(ours, session.connection.patienceMs))
  session.tell('SET_BACKEND_REQ_FD', undefined, [theirs.fd])
  theirs.close()
  return { session, channel }
}

function entry(session: Session, type: number, permission = BOTH): Uint8Array {
  const { memory } = session
  return iotlbMessage({
    iova: memory.guestAddress,
    size: memory.size,
    userAddress: memory.userAddress,
    permission,
    type,
  })
}

function map(session: Session, permission = BOTH): void {
  session.tell('IOTLB_MSG', entry(session, IOTLB_UPDATE, permission))
}

/** The device runs with an IOTLB that has everything, and is told again of what it asks for. */
function running(bench: Bench): Rig & { queue: Queue } {
  const rig = open(bench)
  const { session, channel } = rig
  map(session)
  const queue = session.startDevice()
  session.attend = () => answerMisses(session, channel)
  session.work(queue)
  return { ...rig, queue }
}

/** A back-end may forget an entry whenever it likes, and asks then. */
function answerMisses(session: Session, channel: Connection): void {
  for (let request = channel.receive(0); typeof request !== 'string'; request = channel.receive(0)) {
    acknowledge(channel, request)
    map(session)
  }
}

function acknowledge(channel: Connection, { flags }: Message): void {
  if ((flags & FLAG_NEED_REPLY) !== 0) channel.send(BACKEND_IOTLB_MSG, u64(0), [], FLAG_REPLY)
}

/** Takes all entries from the device, and answers nothing any more. */
function invalidate(session: Session, channel: Connection): void {
  answerMisses(session, channel)
  session.attend = () => {}
  session.tell('IOTLB_MSG', entry(session, IOTLB_INVALIDATE))
}

/** The next miss that is asked for; its acknowledgement is sent where it is wanted. */
function miss(channel: Connection): Message {
  const request = channel.receive()
  if (typeof request === 'string') fail(`no IOTLB miss on the back-end's channel: ${request}`)
  same(request.request, BACKEND_IOTLB_MSG, 'the request of the back-end')
  same(request.payload.getUint8(25), IOTLB_MISS, 'the type of the IOTLB message')
  acknowledge(channel, request)
  return request
}

function one(id: string, level: Case['level'], title: string, run: Case['run']): Case {
  return { id: `iotlb/${id}`, title, clause: IOMMU, level, needs, run }
}

/** Addresses that go through a device IOTLB. */
export const iotlb: readonly Case[] = [
  {
    ...one('update', 'MUST', 'an update and an invalidation are acknowledged by 0', (bench) => {
      const { session } = open(bench)
      same(session.connection.status('IOTLB_MSG', entry(session, IOTLB_UPDATE)), 0n, 'the status of the update')
      same(
        session.connection.status('IOTLB_MSG', entry(session, IOTLB_INVALIDATE)),
        0n,
        'the status of the invalidation',
      )
    }),
    clause: message('IOTLB_MSG'),
  },
  one('runs', 'MUST', 'rings and buffers are found by IOVAs that no region of the table has', (bench) => {
    const { session, queue } = running(bench)
    session.work(queue, 5)
  }),
  one(
    'miss',
    'MUST',
    'an address without an entry is asked for, and the request is served after the update',
    (bench) => {
      const { session, channel } = open(bench)
      for (const index of session.profile.queues) session.queue(index).start()
      const queue = session.queues.get(session.profile.requestQueue)!
      const requests = session.submit(queue)
      queue.kick()
      const { payload } = miss(channel)
      const iova = Number(payload.getBigUint64(0, true))
      const { memory } = session
      check(
        iova >= memory.guestAddress && iova < memory.guestAddress + memory.size,
        `the miss asks for 0x${iova.toString(16)}, which the ring does not need`,
      )
      map(session)
      session.collect(queue, requests)
    },
  ),
  one('invalidate', 'MUST', 'after an invalidation addresses are asked for again', (bench) => {
    const { session, channel, queue } = running(bench)
    session.work(queue, 2)
    invalidate(session, channel)
    const requests = session.submit(queue)
    queue.kick()
    miss(channel)
    map(session)
    session.attend = () => answerMisses(session, channel)
    session.collect(queue, requests)
  }),
  one('invalidated-untouched', 'MUST', 'memory whose entry was invalidated is not written', (bench) => {
    const { session, channel, queue } = running(bench)
    session.work(queue, 2)
    invalidate(session, channel)
    const { memory, device } = queue.ring
    const requests = session.add(queue)
    const before = Buffer.from(memory.bytes.slice(device))
    queue.ring.publish()
    queue.kick()
    queue.settle(50)
    // From the device area on: used ring, and every buffer that was taken later.
    check(before.equals(memory.bytes.subarray(device)), `memory of ${requests.size} request has changed`)
  }),
  one('moved', 'MUST', 'an entry that replaces another one is used', (bench) => {
    const { session, queue } = running(bench)
    session.work(queue)
    for (let round = 0; round < 3; round++) {
      session.tell('IOTLB_MSG', entry(session, IOTLB_INVALIDATE))
      map(session)
      session.work(queue, 2)
    }
  }),
  {
    ...one('unknown-type', 'robustness', 'an IOTLB message of no known type is refused', (bench) => {
      const { session } = open(bench)
      const outcome = session.connection.attempt('IOTLB_MSG', entry(session, 77))
      check(outcome === 'refused' || outcome === 'closed', `IOTLB_MSG of type 77: ${outcome}`)
    }),
    clause: message('IOTLB_MSG'),
  },
  one('outside-memory', 'robustness', 'an update to addresses outside shared memory does no harm', (bench) => {
    const { session, queue } = running(bench)
    const outcome = session.connection.attempt(
      'IOTLB_MSG',
      iotlbMessage({ iova: 0, size: 2 ** 30, userAddress: 2 ** 46, permission: BOTH, type: IOTLB_UPDATE }),
    )
    if (outcome === 'closed') return
    queue.ring.add([{ address: 4096, length: 64, writable: false }])
    queue.ring.publish()
    queue.kick()
    queue.settle(50)
  }),
  one('size-zero', 'robustness', 'an update of no bytes leaves the connection in step', (bench) => {
    const { session } = open(bench)
    const update = iotlbMessage({
      iova: 4096,
      size: 0,
      userAddress: session.memory.userAddress,
      permission: BOTH,
      type: IOTLB_UPDATE,
    })
    if (session.connection.attempt('IOTLB_MSG', update) !== 'closed') session.connection.isInStep()
  }),
  one('everything', 'MUST', 'an invalidation of all addresses is taken', (bench) => {
    const { session } = open(bench)
    const all = iotlbMessage({ iova: 0, size: 2n ** 64n - 1n, userAddress: 0, permission: 0, type: IOTLB_INVALIDATE })
    same(session.connection.status('IOTLB_MSG', all), 0n, 'the status')
  }),
]
