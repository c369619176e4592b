import { VIRTIO_F_RING_PACKED } from '@vring/layout'
import { PROTOCOL_F_REPLY_ACK } from '@vring/vhost-user'
import type { Bench } from '../bench.ts'
import { type Case, check, same } from '../case.ts'
import { message, vhostUser } from '../clause.ts'
import type { Queue } from '../driver/queue.ts'
import { SETTLE_MS } from '../driver/queue.ts'
import type { Session } from '../driver/session.ts'
import { vringFd, vringState } from '../wire/payloads.ts'

const STATES = vhostUser('Ring states')

/** A device whose other queues run; the one for requests is told of, and neither kicked off nor enabled. */
function configured(bench: Bench): { session: Session; queue: Queue } {
  const session = bench.open()
  session.startCompanions()
  const queue = session.queue(session.profile.requestQueue)
  queue.configure()
  return { session, queue }
}

function running(bench: Bench, size = 64): { session: Session; queue: Queue } {
  const session = bench.open()
  return { session, queue: session.startDevice({ size }) }
}

type Run = (bench: Bench) => void

function state(id: string, level: Case['level'], title: string, run: Run, needs: Case['needs'] = {}): Case {
  return { id: `rings/${id}`, title, clause: STATES, level, needs: { device: 'any known', ...needs }, run }
}

export const ringStates: readonly Case[] = [
  state('runs', 'MUST', 'a ring that is kicked off and enabled is processed', (bench) => {
    const { session, queue } = running(bench)
    session.work(queue)
  }),
  state('stopped-at-first', 'MUST', 'a ring is not processed before SET_VRING_KICK, enabled or not', (bench) => {
    const { session, queue } = configured(bench)
    queue.enable()
    const requests = session.submit(queue)
    queue.staysUnused('it was never kicked off')
    queue.sendKick()
    queue.kick()
    session.collect(queue, requests)
  }),
  state('early-kick', 'MUST', 'a kick that was written before SET_VRING_KICK starts the ring', (bench) => {
    const { session, queue } = configured(bench)
    const requests = session.submit(queue)
    queue.kick()
    queue.sendKick()
    queue.enable()
    session.collect(queue, requests)
  }),
  state('enabled-first', 'MUST', 'SET_VRING_ENABLE of a stopped ring comes into effect when it starts', (bench) => {
    const { session, queue } = configured(bench)
    queue.enable()
    queue.sendKick()
    session.work(queue)
  }),
  state(
    'disabled-at-first',
    'MUST',
    'a ring that starts is disabled until SET_VRING_ENABLE: no request is executed',
    (bench) => {
      const { session, queue } = configured(bench)
      queue.sendKick()
      const requests = session.submit(queue)
      queue.kick()
      queue.staysUnused('it was never enabled')
      queue.enable()
      queue.kick()
      session.collect(queue, requests)
    },
    { device: 'blk' },
  ),
  state(
    'disabled-transmit',
    'MUST',
    'a disabled transmit ring is processed, and its frames are discarded',
    (bench) => {
      const { session, queue } = configured(bench)
      queue.sendKick()
      const requests = session.submit(queue, 3)
      queue.kick()
      session.collect(queue, requests)
    },
    { device: 'net' },
  ),
  state('disabled-later', 'MUST', 'a ring that is disabled and enabled again goes on', (bench) => {
    const { session, queue } = running(bench)
    session.work(queue)
    for (let round = 0; round < 5; round++) {
      queue.enable(false)
      queue.enable(true)
      session.work(queue, 3)
    }
  }),
  state(
    'enabled-at-once',
    'MUST',
    'without PROTOCOL_FEATURES acknowledged, rings need no SET_VRING_ENABLE',
    (bench) => {
      const session = bench.open({ withoutProtocol: true })
      session.work(session.startDevice(), 3)
    },
  ),
  {
    ...state('stop', 'MUST', 'GET_VRING_BASE stops the ring: what is made available later is not used', (bench) => {
      const { session, queue } = running(bench)
      session.work(queue, 3)
      queue.stop()
      session.submit(queue, 2)
      queue.kick()
      queue.staysUnused('GET_VRING_BASE stopped it')
    }),
    clause: message('GET_VRING_BASE'),
  },
  {
    ...state('stop-index', 'MUST', 'GET_VRING_BASE answers the index of the next available buffer', (bench) => {
      const { session, queue } = running(bench)
      session.work(queue, 5)
      same(queue.stop(), 5, 'the index after 5 requests')
    }),
    clause: message('GET_VRING_BASE'),
  },
  {
    ...state(
      'stop-index-packed',
      'MUST',
      'GET_VRING_BASE of a packed ring answers both indices and both wrap counters',
      (bench) => {
        const session = bench.open({ packed: true })
        const queue = session.startDevice({ size: 16 })
        session.work(queue, 3)
        session.work(queue, 3)
        same(queue.stop(), queue.ring.base, 'available and used index with wrap counters')
      },
      { features: [VIRTIO_F_RING_PACKED] },
    ),
    clause: message('GET_VRING_BASE'),
  },
  {
    ...state('stop-twice', 'SHOULD', 'GET_VRING_BASE of a stopped ring answers the same again', (bench) => {
      const { session, queue } = running(bench)
      session.work(queue, 3)
      same(queue.stop(), 3, 'the index')
      same(queue.stop(), 3, 'the index at the second time')
    }),
    clause: message('GET_VRING_BASE'),
  },
  {
    ...state(
      'base-kept',
      'SHOULD',
      'GET_VRING_BASE of a ring that never ran answers what SET_VRING_BASE said',
      (bench) => {
        const { session } = configured(bench)
        const { connection, profile } = session
        session.tell('SET_VRING_BASE', vringState(profile.requestQueue, 77))
        const { payload } = connection.ask('GET_VRING_BASE', vringState(profile.requestQueue, 0))
        same(payload.getUint32(4, true), 77, 'the index')
      },
    ),
    clause: message('SET_VRING_BASE'),
  },
  {
    ...state(
      'restart',
      'MUST',
      'a ring that was stopped goes on from its base when it is kicked off again',
      (bench) => {
        const { session, queue } = running(bench)
        for (let round = 0; round < 4; round++) {
          session.work(queue, 3)
          const base = queue.stop()
          queue.start(base)
        }
        session.work(queue, 3)
      },
    ),
    clause: message('SET_VRING_BASE'),
  },
  {
    ...state(
      'restart-waiting',
      'MUST',
      'requests that were made available while it was stopped are served then',
      (bench) => {
        const { session, queue } = running(bench)
        session.work(queue, 2)
        const base = queue.stop()
        const requests = session.submit(queue, 4)
        queue.start(base)
        queue.kick()
        session.collect(queue, requests)
      },
    ),
  },
  {
    ...state(
      'restart-packed',
      'MUST',
      'a packed ring that was stopped goes on from its base',
      (bench) => {
        const session = bench.open({ packed: true })
        const queue = session.startDevice({ size: 16 })
        for (let round = 0; round < 4; round++) {
          session.work(queue, 3)
          queue.start(queue.stop())
        }
        session.work(queue, 3)
      },
      { features: [VIRTIO_F_RING_PACKED] },
    ),
    clause: message('SET_VRING_BASE'),
  },
  {
    ...state('base-wraps', 'MUST', 'indices go on at 0 after 65535', (bench) => {
      const session = bench.open()
      const queue = session.startDevice({ size: 16, start: 65530 })
      session.work(queue, 12)
      same(queue.stop(), 6, 'the index after 12 requests from 65530')
    }),
    clause: message('SET_VRING_BASE'),
  },
  state('other-size', 'MUST', 'a ring that was stopped may be another one: size, place and base are new', (bench) => {
    const { session, queue } = running(bench, 64)
    session.work(queue, 3)
    queue.stop()
    const other = session.queue(queue.index, { size: 16 })
    other.start()
    session.work(other, 16)
  }),
  state('kick-replaced', 'MUST', 'a running ring takes another kick descriptor', (bench) => {
    const { session, queue } = running(bench)
    session.work(queue)
    const other = bench.own(session.queue(queue.index === 0 ? 1 : queue.index + 100))
    session.tell('SET_VRING_KICK', vringFd(queue.index, true), [other.kickFd.fd])
    const requests = session.submit(queue, 2)
    other.kick()
    session.collect(queue, requests)
  }),
  state('call-replaced', 'MUST', 'a running ring takes another call descriptor, and signals that one', (bench) => {
    const { session, queue } = running(bench)
    session.work(queue)
    const other = session.queue(queue.index + 100)
    session.tell('SET_VRING_CALL', vringFd(queue.index, true), [other.callFd.fd])
    queue.called(SETTLE_MS)
    other.called(0)
    session.work(queue, 2)
    check(other.called(session.connection.patienceMs), 'the new call descriptor was not signalled')
    check(!queue.called(0), 'the old call descriptor was signalled')
  }),
  {
    ...state('polled', 'MUST', 'a ring whose SET_VRING_KICK has bit 8 set is polled: it needs no kick', (bench) => {
      const { session, queue } = configured(bench)
      session.tell('SET_VRING_KICK', vringFd(queue.index, false))
      queue.enable()
      for (let round = 0; round < 3; round++) session.collect(queue, session.submit(queue, 2))
    }),
    clause: message('SET_VRING_KICK'),
  },
  {
    ...state('no-call', 'MUST', 'a ring whose SET_VRING_CALL has bit 8 set is served without signals', (bench) => {
      const { session, queue } = running(bench)
      session.tell('SET_VRING_CALL', vringFd(queue.index, false))
      queue.called(SETTLE_MS)
      session.work(queue, 3)
      check(!queue.called(SETTLE_MS), 'the call descriptor that was taken back was signalled')
    }),
    clause: message('SET_VRING_CALL'),
  },
  state('kick-of-nothing', 'MUST', 'kicks of an empty ring use nothing', (bench) => {
    const { session, queue } = running(bench)
    for (let round = 0; round < 3; round++) {
      queue.kick()
      queue.staysUnused('the ring is empty', 5)
      session.work(queue)
    }
  }),
  {
    ...state(
      'features-while-running',
      'robustness',
      'a feature that changes the ring format while it runs does no harm',
      (bench) => {
        const { session, queue } = running(bench)
        session.work(queue)
        const outcome = session.connection.attempt('SET_VRING_NUM', vringState(queue.index, 32))
        if (outcome === 'done' || outcome === 'refused') session.connection.isInStep()
      },
      { protocol: [PROTOCOL_F_REPLY_ACK] },
    ),
    id: 'rings/size-while-running',
    title: 'SET_VRING_NUM of a running ring is refused or taken, and the connection stays in step',
  },
]
