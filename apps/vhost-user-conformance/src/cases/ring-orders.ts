import type { Case } from '../case.ts'
import { message, vhostUser } from '../clause.ts'
import type { Queue } from '../driver/queue.ts'

const STEPS = {
  num: (queue: Queue) => queue.sendSize(),
  base: (queue: Queue) => queue.sendBase(queue.ring.base),
  addr: (queue: Queue) => queue.sendAddress(),
  call: (queue: Queue) => queue.sendCall(),
  kick: (queue: Queue) => queue.sendKick(),
  enable: (queue: Queue) => queue.enable(),
} as const

type Step = keyof typeof STEPS

/** The document gives no order but this: what a ring needs is told before it is kicked off. */
const ORDERS: readonly { name: string; level: Case['level']; order: readonly Step[] }[] = [
  { name: 'as QEMU sets it up', level: 'MUST', order: ['enable', 'num', 'base', 'addr', 'kick', 'call'] },
  { name: 'as DPDK virtio_user does', level: 'MUST', order: ['call', 'num', 'base', 'addr', 'kick', 'enable'] },
  { name: 'as Linux virtio_uml does', level: 'MUST', order: ['call', 'num', 'base', 'addr', 'enable', 'kick'] },
  { name: 'address before size', level: 'MUST', order: ['addr', 'base', 'num', 'call', 'kick', 'enable'] },
  { name: 'base last', level: 'MUST', order: ['enable', 'call', 'addr', 'num', 'base', 'kick'] },
  { name: 'call last', level: 'MUST', order: ['num', 'addr', 'base', 'kick', 'enable', 'call'] },
  {
    name: 'kicked off before its address',
    level: 'robustness',
    order: ['num', 'kick', 'base', 'addr', 'call', 'enable'],
  },
  { name: 'kicked off first', level: 'robustness', order: ['kick', 'enable', 'call', 'num', 'base', 'addr'] },
]

/** Every order of telling a ring leads to one that works. */
export const ringOrders: readonly Case[] = [
  ...ORDERS.map(
    ({ name, level, order }): Case => ({
      id: `orders/${order.join('-')}`,
      title: `a ring works when it is told ${order.join(', ')} (${name})`,
      clause: vhostUser('Ring states'),
      level,
      needs: { device: 'any known' },
      run(bench) {
        const session = bench.open()
        session.startCompanions()
        const queue = session.queue(session.profile.requestQueue)
        for (const step of order) STEPS[step](queue)
        session.work(queue, 3)
      },
    }),
  ),
  {
    id: 'orders/memory-last',
    title: 'a ring works when its memory is shared after it was told of',
    clause: message('SET_MEM_TABLE'),
    level: 'robustness',
    needs: { device: 'any known' },
    run(bench) {
      const session = bench.open({ unshared: true })
      const queue = session.startDevice()
      session.shareMemory()
      session.work(queue, 3)
    },
  },
  {
    id: 'orders/features-last',
    title: 'a ring works when features are acknowledged after it was told of, before it is kicked off',
    clause: message('SET_FEATURES'),
    level: 'SHOULD',
    needs: { device: 'any known' },
    run(bench) {
      const session = bench.open()
      const queues = session.profile.queues.map((index) => session.queue(index))
      for (const queue of queues) queue.configure()
      session.negotiate()
      for (const queue of queues) {
        queue.sendKick()
        queue.enable()
      }
      session.work(session.queues.get(session.profile.requestQueue)!, 3)
    },
  },
]
