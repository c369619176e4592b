import type { Bench } from '../bench.ts'
import { type Case, same } from '../case.ts'
import { vhostUser } from '../clause.ts'
import type { Queue } from '../driver/queue.ts'
import type { Session } from '../driver/session.ts'

const MULTIPLE = vhostUser('Multiple queue support')
/** More queues than this are not tried out. */
const QUEUES_TRIED = 8

function one(
  id: string,
  level: Case['level'],
  title: string,
  run: (session: Session, queues: readonly Queue[]) => void,
): Case {
  return {
    id: `queues/${id}`,
    title,
    clause: MULTIPLE,
    level,
    needs: { device: 'any known', queues: 4 },
    run(bench) {
      const { session, queues } = running(bench)
      run(session, queues)
    },
  }
}

/** All queues of the device, up to 8, running; those that take requests. */
function running(bench: Bench): { session: Session; queues: readonly Queue[] } {
  const session = bench.open({ memories: [bench.memory({ bytes: 4 << 20 })] })
  const count = Math.min(QUEUES_TRIED, bench.offer.queues)
  const { queues, requestQueue } = session.profile
  const all = Array.from({ length: count }, (_, index) => session.queue(index, { size: 16 << (index % 3) }))
  for (const queue of all) queue.start()
  return { session, queues: all.filter(({ index }) => index % queues.length === requestQueue % queues.length) }
}

/** Several queues at once. */
export const manyQueues: readonly Case[] = [
  one('each', 'MUST', 'each queue serves requests', (session, queues) => {
    for (const queue of queues) session.work(queue, 5)
  }),
  one('together', 'MUST', 'queues serve requests that are made available together', (session, queues) => {
    for (let round = 0; round < 5; round++) {
      const requests = queues.map((queue) => session.submit(queue, 3))
      for (const queue of queues) queue.kick()
      for (const [at, queue] of queues.entries()) session.collect(queue, requests[at]!)
    }
  }),
  one('stop-one', 'MUST', 'stopping a queue does not stop the others', (session, queues) => {
    for (const queue of queues) session.work(queue)
    const [first, ...others] = queues
    first!.stop()
    for (const queue of others) session.work(queue, 3)
    session.submit(first!)
    first!.kick()
    first!.staysUnused('it is stopped')
    for (const queue of others) session.work(queue, 3)
  }),
  one('bases', 'MUST', 'each queue has a base of its own', (session, queues) => {
    for (const [at, queue] of queues.entries()) session.work(queue, at + 1)
    for (const [at, queue] of queues.entries()) same(queue.stop(), at + 1, `the base of queue ${queue.index}`)
  }),
  one(
    'calls',
    'MUST',
    'the call descriptor of the queue that used a buffer is signalled, and no other',
    (session, queues) => {
      for (const queue of queues) session.work(queue)
      for (const queue of queues) queue.called(20)
      const [first, ...others] = queues
      session.work(first!)
      same(Number(first!.called(session.connection.patienceMs)), 1, 'calls of the queue that worked')
      for (const queue of others) same(Number(queue.called(0)), 0, `calls of queue ${queue.index}`)
    },
  ),
  one('disable-one', 'MUST', 'disabling a queue does not disable the others', (session, queues) => {
    const [first, ...others] = queues
    first!.enable(false)
    for (const queue of others) session.work(queue, 3)
    first!.enable(true)
    session.work(first!, 3)
  }),
]
