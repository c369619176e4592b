import { UnixSocket } from '@vring/linux'
import { PROTOCOL_F_BACKEND_REQ, PROTOCOL_F_REPLY_ACK } from '@vring/vhost-user'
import type { Bench } from '../bench.ts'
import { type Case, check } from '../case.ts'
import { message, vhostUser } from '../clause.ts'
import type { Session } from '../driver/session.ts'
import {
  logArea,
  memoryTable,
  NOTHING,
  singleRegion,
  u64,
  vringAddress,
  vringFd,
  vringState,
} from '../wire/payloads.ts'
import type { Request } from '../wire/requests.ts'
import { malformedMessages } from './malformed-messages.ts'
import { hangsUp } from './memory-slots.ts'
import { messageFraming } from './message-framing.ts'

const ACK = [PROTOCOL_F_REPLY_ACK]

function negotiated(bench: Bench): Session {
  return bench.open({ unshared: true, protocol: [] })
}

/** Descriptors where none belong, and what becomes of them. */
const descriptors: readonly Case[] = [
  {
    id: 'messages/surplus-descriptors',
    title: 'GET_FEATURES with 8 descriptors does no harm, and they are closed',
    clause: vhostUser('Communication'),
    level: 'robustness',
    run(bench) {
      const connection = bench.connect()
      const [ours, theirs] = UnixSocket.pair().map((socket) => bench.own(socket)) as [UnixSocket, UnixSocket]
      connection.send('GET_FEATURES', NOTHING, new Array(8).fill(theirs.fd))
      theirs.close()
      connection.receive()
      check(hangsUp(ours, bench.target.patienceMs), 'they are still open')
    },
  },
  {
    id: 'messages/many-descriptors',
    title: '200 descriptors with one message do no harm, and are closed',
    clause: vhostUser('Communication'),
    level: 'robustness',
    run(bench) {
      const connection = bench.connect()
      const [ours, theirs] = UnixSocket.pair().map((socket) => bench.own(socket)) as [UnixSocket, UnixSocket]
      connection.send('SET_VRING_KICK', vringFd(0, true), new Array(200).fill(theirs.fd))
      theirs.close()
      connection.close()
      check(hangsUp(ours, bench.target.patienceMs), 'they are still open after the connection was closed')
    },
  },
  {
    id: 'messages/unknown-descriptor',
    title: 'the descriptor of an unknown request is closed',
    clause: vhostUser('Communication'),
    level: 'robustness',
    run(bench) {
      const connection = bench.connect()
      const [ours, theirs] = UnixSocket.pair().map((socket) => bench.own(socket)) as [UnixSocket, UnixSocket]
      connection.send(200, u64(0), [theirs.fd])
      theirs.close()
      check(hangsUp(ours, bench.target.patienceMs), 'it is still open')
    },
  },
  {
    id: 'messages/replaced-descriptor',
    title: 'the error descriptor that another one replaces is closed',
    clause: message('SET_VRING_ERR'),
    level: 'robustness',
    needs: { protocol: ACK },
    run(bench) {
      const session = negotiated(bench)
      const queue = session.queue(0)
      const [ours, theirs] = UnixSocket.pair().map((socket) => bench.own(socket)) as [UnixSocket, UnixSocket]
      session.connection.attempt('SET_VRING_ERR', vringFd(0, true), [theirs.fd])
      theirs.close()
      session.connection.attempt('SET_VRING_ERR', vringFd(0, true), [queue.errorFd.fd])
      check(hangsUp(ours, bench.target.patienceMs), 'it is still open')
    },
  },
]

/** Everything about rings before anything was negotiated. */
const early: readonly Case[] = [
  {
    id: 'messages/rings-before-features',
    title: 'a whole ring that is told of before SET_FEATURES does no harm',
    clause: vhostUser('Ring states'),
    level: 'robustness',
    run(bench) {
      const connection = bench.connect()
      const memory = bench.memory()
      connection.send('SET_MEM_TABLE', memoryTable([memory.region]), [memory.fd])
      connection.send('SET_VRING_NUM', vringState(0, 64))
      connection.send('SET_VRING_BASE', vringState(0, 0))
      const at = memory.userAddress
      connection.send(
        'SET_VRING_ADDR',
        vringAddress({ index: 0, flags: 0, desc: at, used: at + 8192, avail: at + 4096, log: 0 }),
      )
      connection.send('SET_VRING_KICK', vringFd(0, false))
      connection.send('GET_FEATURES')
      connection.receive(500)
    },
  },
  {
    id: 'messages/gated-early',
    title: 'requests of features that were not acknowledged do no harm',
    clause: vhostUser('Communication'),
    level: 'robustness',
    run(bench) {
      const memory = bench.memory()
      const requests: readonly [Request, Uint8Array, readonly number[]][] = [
        ['SET_LOG_BASE', logArea(4096, 0), [memory.fd]],
        ['ADD_MEM_REG', singleRegion(memory.region), [memory.fd]],
        ['SET_BACKEND_REQ_FD', NOTHING, [memory.fd]],
        ['SET_STATUS', u64(15), []],
        ['RESET_DEVICE', NOTHING, []],
        ['POSTCOPY_ADVISE', NOTHING, []],
        ['SET_DEVICE_STATE_FD', u64(0), [memory.fd]],
      ]
      for (const [request, payload, fds] of requests) {
        const connection = bench.connect()
        connection.send('GET_FEATURES')
        connection.answer('GET_FEATURES')
        connection.send(request, payload, fds)
        connection.send('GET_FEATURES')
        connection.receive(300)
        connection.close()
      }
    },
  },
  {
    id: 'messages/not-an-eventfd',
    title: 'a kick descriptor that is a file does no harm',
    clause: message('SET_VRING_KICK'),
    level: 'robustness',
    needs: { protocol: ACK },
    run(bench) {
      const session = bench.open()
      const queue = session.queue(0)
      queue.configure()
      session.connection.attempt('SET_VRING_KICK', vringFd(0, true), [session.memory.fd])
    },
  },
  {
    id: 'messages/own-socket',
    title: 'a back-end channel that is the connection itself does no harm',
    clause: message('SET_BACKEND_REQ_FD'),
    level: 'robustness',
    needs: { protocol: ACK },
    run(bench) {
      const { connection } = bench.open({ unshared: true, protocol: [PROTOCOL_F_BACKEND_REQ] })
      connection.attempt('SET_BACKEND_REQ_FD', NOTHING, [connection.socket.fd])
    },
  },
]

/** What no front-end in its right mind sends. */
export const hostileMessages: readonly Case[] = [...malformedMessages, ...messageFraming, ...descriptors, ...early]
