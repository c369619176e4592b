import type { Bench } from '../bench.ts'
import { type Case, fail } from '../case.ts'
import { vhostUser } from '../clause.ts'
import type { Session } from '../driver/session.ts'

const COMMUNICATION = vhostUser('Communication')

function one(
  id: string,
  level: Case['level'],
  title: string,
  run: Case['run'],
  needs: Case['needs'] = { device: 'any known' },
): Case {
  return { id: `connections/${id}`, title, clause: COMMUNICATION, level, needs, run }
}

/** A session at work that is hung up on with requests in the ring. */
function hangUpAtWork(bench: Bench): Session {
  const session = bench.open()
  const queue = session.startDevice()
  session.work(queue, 3)
  session.submit(queue, 8)
  queue.kick()
  session.connection.close()
  return session
}

/** What comes and goes. */
export const connections: readonly Case[] = [
  one(
    'silent',
    'robustness',
    'a connection on which nothing is said does no harm',
    (bench) => bench.connect().close(),
    {},
  ),
  one(
    'many',
    'SHOULD',
    '50 connections, one after the other, are answered',
    (bench) => {
      for (let n = 0; n < 50; n++) {
        const connection = bench.connect()
        connection.askU64('GET_FEATURES')
        connection.close()
      }
    },
    {},
  ),
  one('again', 'SHOULD', 'a session after a session is served, ten times', (bench) => {
    for (let n = 0; n < 10; n++) {
      const session = bench.open()
      session.work(session.startDevice(), 3)
      session.connection.close()
    }
  }),
  one(
    'hang-up-at-work',
    'SHOULD',
    'a session that ends with requests in its ring does not disturb the next one',
    (bench) => {
      for (let n = 0; n < 5; n++) hangUpAtWork(bench)
      const session = bench.open()
      session.work(session.startDevice(), 3)
    },
  ),
  one(
    'untouched-after',
    'MUST',
    'memory is not written after its connection has ended and another one is served',
    (bench) => {
      const before = bench.open()
      const queue = before.startDevice()
      before.work(queue, 3)
      before.connection.close()
      const session = bench.open()
      session.work(session.startDevice(), 3)
      before.submit(queue, 2)
      queue.kick()
      session.work(session.queues.get(session.profile.requestQueue)!, 3)
      queue.staysUnused('its connection has ended')
    },
  ),
  one('goes-on', 'MUST', 'a front-end that comes back goes on where the used ring is', (bench) => {
    const first = bench.open()
    const queue = first.startDevice()
    first.work(queue, 5)
    const { ring } = queue
    first.connection.close()
    const next = bench.open({ memories: [first.memory] })
    next.startCompanions()
    const again = next.adopt(queue.index, ring)
    again.start(5)
    next.work(again, 5)
    again.staysUnused('every request was used')
  }),
  one(
    'unread',
    'robustness',
    'a front-end that reads no answer does not keep the next one out',
    (bench) => {
      const connection = bench.connect()
      connection.flood('GET_FEATURES', 300)
      connection.close()
    },
    {},
  ),
  one(
    'many-requests',
    'SHOULD',
    '100 requests that arrive together are all answered',
    (bench) => {
      const connection = bench.connect()
      for (let n = 0; n < 100; n++) connection.send('GET_FEATURES')
      for (let n = 0; n < 100; n++) connection.answer('GET_FEATURES')
    },
    {},
  ),
  one('second', 'robustness', 'a second connection does not disturb the first one', (bench) => {
    const session = bench.open()
    const queue = session.startDevice()
    session.work(queue)
    const second = bench.connect()
    second.send('GET_FEATURES')
    session.work(queue, 3)
    second.close()
    session.work(queue, 3)
    if (!session.connection.isInStep()) fail('the first connection was closed')
  }),
]
