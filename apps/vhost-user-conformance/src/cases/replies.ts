import { featureSet } from '@vring/layout'
import {
  FLAG_NEED_REPLY,
  PROTOCOL_F_CONFIGURE_MEM_SLOTS,
  PROTOCOL_F_MQ,
  PROTOCOL_F_REPLY_ACK,
  PROTOCOL_F_STATUS,
} from '@vring/vhost-user'
import type { Bench } from '../bench.ts'
import { type Case, check, fail, same } from '../case.ts'
import { message, vhostUser } from '../clause.ts'
import type { Queue } from '../driver/queue.ts'
import type { Session } from '../driver/session.ts'
import { memoryTable, NOTHING, singleRegion, u64, vringFd, vringState } from '../wire/payloads.ts'
import { REQUESTS, type Request } from '../wire/requests.ts'

const REPLY_ACK = vhostUser('VHOST_USER_PROTOCOL_F_REPLY_ACK')
const ACK = [PROTOCOL_F_REPLY_ACK]

interface Told {
  readonly request: Request
  readonly protocol?: readonly number[]
  /** Payload and descriptors of a request that has to be accepted. */
  send(session: Session, queue: Queue): { payload: Uint8Array; fds?: readonly number[] }
}

/** Requests without an answer of their own, in an order in which each is in place. */
const TOLD: readonly Told[] = [
  { request: 'SET_OWNER', send: () => ({ payload: NOTHING }) },
  { request: 'SET_PROTOCOL_FEATURES', send: ({ protocol }) => ({ payload: u64(protocol) }) },
  { request: 'SET_FEATURES', send: ({ features }) => ({ payload: u64(features) }) },
  {
    request: 'SET_MEM_TABLE',
    send: ({ memory }) => ({ payload: memoryTable([memory.region]), fds: [memory.fd] }),
  },
  { request: 'SET_VRING_NUM', send: (_, { index, ring }) => ({ payload: vringState(index, ring.size) }) },
  { request: 'SET_VRING_BASE', send: (_, { index, ring }) => ({ payload: vringState(index, ring.base) }) },
  { request: 'SET_VRING_ADDR', send: (_, queue) => ({ payload: queue.addressPayload() }) },
  { request: 'SET_VRING_CALL', send: (_, { index, callFd }) => ({ payload: vringFd(index, true), fds: [callFd.fd] }) },
  { request: 'SET_VRING_ERR', send: (_, { index, errorFd }) => ({ payload: vringFd(index, true), fds: [errorFd.fd] }) },
  { request: 'SET_VRING_KICK', send: (_, { index, kickFd }) => ({ payload: vringFd(index, true), fds: [kickFd.fd] }) },
  { request: 'SET_VRING_ENABLE', send: (_, { index }) => ({ payload: vringState(index, 1) }) },
]

/** Sends requests of the list up to one, without asking for a reply. */
function sendUpTo(bench: Bench, last: Told): { session: Session; queue: Queue } {
  const session = bench.open({ unshared: true })
  const queue = session.queue(0)
  for (const told of TOLD) {
    if (told === last) return { session, queue }
    const { payload, fds } = told.send(session, queue)
    session.connection.send(told.request, payload, fds)
  }
  return { session, queue }
}

const acknowledged: readonly Case[] = TOLD.map((told) => ({
  id: `replies/ack-${kebab(told.request)}`,
  title: `${told.request} with need_reply is answered by one 64-bit 0`,
  clause: REPLY_ACK,
  level: 'MUST',
  needs: { protocol: ACK },
  run(bench) {
    const { session, queue } = sendUpTo(bench, told)
    const { payload, fds } = told.send(session, queue)
    same(session.connection.status(told.request, payload, fds), 0n, 'the status')
    check(session.connection.isInStep(), 'the back-end hung up after it')
  },
}))

interface Asked {
  readonly request: Request
  readonly payload?: Uint8Array
  readonly protocol?: readonly number[]
}

/** Requests that have an answer of their own. */
const ASKED: readonly Asked[] = [
  { request: 'GET_FEATURES' },
  { request: 'GET_PROTOCOL_FEATURES' },
  { request: 'GET_QUEUE_NUM', protocol: [PROTOCOL_F_MQ] },
  { request: 'GET_VRING_BASE', payload: vringState(0, 0) },
  { request: 'GET_MAX_MEM_SLOTS', protocol: [PROTOCOL_F_CONFIGURE_MEM_SLOTS] },
  { request: 'GET_STATUS', protocol: [PROTOCOL_F_STATUS] },
]

const answered: readonly Case[] = ASKED.map(({ request, payload = NOTHING, protocol = [] }) => ({
  id: `replies/once-${kebab(request)}`,
  title: `${request} with need_reply has its own answer and no second one`,
  clause: REPLY_ACK,
  level: 'MUST',
  needs: { protocol: [...ACK, ...protocol] },
  run(bench) {
    const { connection } = bench.open({ protocol })
    connection.send(request, payload, [], FLAG_NEED_REPLY)
    const { payload: reply } = connection.answer(request)
    same(reply.byteLength, 8, `the size of the answer to ${request}`)
    check(connection.isInStep(), 'the back-end hung up after it')
  },
}))

export const replies: readonly Case[] = [
  ...acknowledged,
  ...answered,
  {
    id: 'replies/none-unasked',
    title: 'requests without need_reply and without an answer of their own are not answered',
    clause: vhostUser('Communication'),
    level: 'MUST',
    needs: { protocol: ACK },
    run(bench) {
      const session = bench.open({ unshared: true })
      const queue = session.queue(0)
      for (const told of TOLD) {
        const { payload, fds } = told.send(session, queue)
        session.connection.send(told.request, payload, fds)
      }
      check(session.connection.isInStep(), 'the back-end hung up')
    },
  },
  {
    id: 'replies/none-without-reply-ack',
    title: 'need_reply is ignored unless REPLY_ACK is acknowledged',
    clause: REPLY_ACK,
    level: 'robustness',
    run(bench) {
      const { connection } = bench.open({ unshared: true, withoutReplyAck: true })
      connection.send('SET_OWNER', NOTHING, [], FLAG_NEED_REPLY)
      connection.send('GET_FEATURES')
      const message = connection.receive()
      if (typeof message === 'string') fail(`GET_FEATURES after it: ${message}`)
      same(message.request, REQUESTS.GET_FEATURES, 'the first answer')
    },
  },
  {
    id: 'replies/flags',
    title: 'an answer has version 1 and the reply flag, and asks for no reply itself',
    clause: vhostUser('Header'),
    level: 'MUST',
    needs: { protocol: ACK },
    run(bench) {
      const { connection } = bench.open({ unshared: true })
      connection.send('SET_OWNER', NOTHING, [], FLAG_NEED_REPLY)
      const { flags } = connection.answer('SET_OWNER')
      check((flags & 7) === 5, `flags are 0x${flags.toString(16)}`)
    },
  },
  {
    id: 'replies/in-order',
    title: 'requests that arrive together are answered one by one, in their order',
    clause: vhostUser('Communication'),
    level: 'MUST',
    needs: { protocol: ACK },
    run(bench) {
      const { connection } = bench.open({ unshared: true })
      const requests: readonly Request[] = [
        'GET_FEATURES',
        'SET_OWNER',
        'GET_PROTOCOL_FEATURES',
        'SET_OWNER',
        'GET_FEATURES',
      ]
      for (let round = 0; round < 10; round++)
        for (const request of requests) connection.send(request, NOTHING, [], FLAG_NEED_REPLY)
      for (let round = 0; round < 10; round++) for (const request of requests) connection.answer(request)
    },
  },
  {
    id: 'replies/unknown',
    title: 'an unknown request with need_reply is answered by a failure, or ends the connection',
    clause: REPLY_ACK,
    level: 'MUST',
    needs: { protocol: ACK },
    run(bench) {
      const outcome = bench.open({ unshared: true }).connection.attempt(200, u64(0))
      check(outcome === 'refused' || outcome === 'closed', `request 200: ${outcome}`)
    },
  },
  {
    id: 'replies/unknown-stays',
    title: 'an unknown request with need_reply is answered by a failure, and the connection goes on',
    clause: vhostUser('Communication'),
    level: 'SHOULD',
    needs: { protocol: ACK },
    run(bench) {
      const { connection } = bench.open({ unshared: true })
      same(connection.attempt(200, u64(0)), 'refused', 'the answer to request 200')
      check(connection.isInStep(), 'the back-end hung up after it')
    },
  },
  {
    id: 'replies/refusal-changes-nothing',
    title: 'a refused request changes nothing: the ring that it was for goes on',
    clause: REPLY_ACK,
    level: 'SHOULD',
    needs: { protocol: ACK, device: 'any known' },
    run(bench) {
      const session = bench.open()
      const queue = session.startDevice()
      session.work(queue)
      const outcome = session.connection.attempt('SET_VRING_NUM', vringState(0x7fff, 64))
      if (outcome === 'closed') return
      same(outcome, 'refused', 'SET_VRING_NUM of queue 32767')
      session.work(queue)
    },
  },
  {
    id: 'replies/ack-add-mem-reg',
    title: 'ADD_MEM_REG with need_reply is answered by one 64-bit 0, or by the region and then that',
    clause: message('ADD_MEM_REG'),
    level: 'MUST',
    needs: { protocol: [PROTOCOL_F_REPLY_ACK, PROTOCOL_F_CONFIGURE_MEM_SLOTS] },
    run(bench) {
      const session = bench.open({ unshared: true, protocol: [PROTOCOL_F_CONFIGURE_MEM_SLOTS] })
      const { region, fd } = session.memory
      same(session.connection.status('ADD_MEM_REG', singleRegion(region), [fd]), 0n, 'the status')
      check(session.connection.isInStep(), 'the back-end hung up after it')
    },
  },
  {
    id: 'replies/protocol-features-again',
    title: 'SET_PROTOCOL_FEATURES that takes REPLY_ACK back ends the replies',
    clause: message('SET_PROTOCOL_FEATURES'),
    level: 'robustness',
    needs: { protocol: ACK },
    run(bench) {
      const { connection, protocol } = bench.open({ unshared: true })
      connection.send('SET_PROTOCOL_FEATURES', u64(protocol & ~featureSet(PROTOCOL_F_REPLY_ACK)))
      connection.send('SET_OWNER', NOTHING, [], FLAG_NEED_REPLY)
      check(connection.isInStep(), 'the back-end hung up')
    },
  },
]

function kebab(request: Request): string {
  return request.toLowerCase().replaceAll('_', '-')
}
