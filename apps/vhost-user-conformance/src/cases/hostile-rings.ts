import { PROTOCOL_F_REPLY_ACK } from '@vring/vhost-user'
import { type Case, check } from '../case.ts'
import { message, virtio } from '../clause.ts'
import { SplitRing } from '../driver/split-ring.ts'
import { vringAddress } from '../wire/payloads.ts'
import { ATTACKED_SIZE, attackRig, NOWHERE, strike } from './attack-rig.ts'
import { packedAttacks } from './packed-attacks.ts'
import { splitAttacks } from './split-attacks.ts'

/** Places where no ring can be: name, and what is done to the addresses of a good one. */
const PLACES: readonly { id: string; title: string; move(at: { desc: number; used: number; avail: number }): void }[] =
  [
    {
      id: 'desc-nowhere',
      title: 'a descriptor table outside shared memory',
      move: (at) => {
        at.desc = NOWHERE
      },
    },
    {
      id: 'used-nowhere',
      title: 'a used ring outside shared memory',
      move: (at) => {
        at.used = NOWHERE
      },
    },
    {
      id: 'avail-nowhere',
      title: 'an available ring outside shared memory',
      move: (at) => {
        at.avail = NOWHERE
      },
    },
    {
      id: 'desc-misaligned',
      title: 'a descriptor table at an odd address',
      move: (at) => {
        at.desc += 3
      },
    },
    {
      id: 'used-misaligned',
      title: 'a used ring at an odd address',
      move: (at) => {
        at.used += 1
      },
    },
    {
      id: 'used-cut',
      title: 'a used ring that ends beyond its region',
      move: (at) => {
        at.used += (2 << 20) - 4096 - (at.used % (1 << 20)) + 4064
      },
    },
    {
      id: 'overlap',
      title: 'a used ring in the descriptor table',
      move: (at) => {
        at.used = at.desc
      },
    },
  ]

const places: readonly Case[] = PLACES.map(({ id, title, move }) => ({
  id: `attacks/place-${id}`,
  title: `${title} is refused, or does no harm`,
  clause: message('SET_VRING_ADDR'),
  level: 'robustness',
  needs: { device: 'any known', protocol: [PROTOCOL_F_REPLY_ACK] },
  run(bench) {
    const session = bench.open()
    session.startCompanions()
    const queue = session.queue(session.profile.requestQueue, { size: ATTACKED_SIZE })
    queue.configure()
    const { memory, ring } = { memory: session.memory, ring: queue.ring }
    const at = { desc: memory.user(ring.desc), used: memory.user(ring.device), avail: memory.user(ring.driver) }
    move(at)
    const outcome = session.connection.attempt(
      'SET_VRING_ADDR',
      vringAddress({ index: queue.index, flags: 0, ...at, log: 0 }),
    )
    if (outcome !== 'done') return
    session.connection.send('SET_VRING_KICK', new Uint8Array([queue.index, 0, 0, 0, 0, 0, 0, 0]), [queue.kickFd.fd])
    session.connection.send('SET_VRING_ENABLE', new Uint8Array([queue.index, 0, 0, 0, 1, 0, 0, 0]))
    session.submit(queue)
    queue.kick()
    queue.settle()
  },
}))

export const hostileRings: readonly Case[] = [
  ...splitAttacks,
  ...packedAttacks,
  ...places,
  {
    id: 'attacks/changing',
    title: 'a descriptor that changes while it is read does no harm',
    clause: virtio('2.7.13'),
    level: 'robustness',
    needs: { device: 'any known' },
    run(bench) {
      const { session, queue, at } = attackRig(bench, [], false)
      const { ring } = queue
      if (!(ring instanceof SplitRing)) return
      ring.writeDescriptor(0, at, 72, 0, 0)
      const end = performance.now() + 60
      for (let n = 0; performance.now() < end; n++) {
        ring.writeAvail(0)
        ring.publish()
        queue.kick()
        for (let flip = 0; flip < 50; flip++)
          ring.writeDescriptor(0, (flip & 1) === 0 ? at : NOWHERE, (flip & 2) === 0 ? 72 : 0xffff_ffff, 0, 0)
        if (n % 8 === 7) queue.settle(1)
      }
      session.connection.isInStep()
    },
  },
  {
    id: 'attacks/error-signalled',
    title: 'a ring that can not be served any more is told by its error descriptor',
    clause: message('SET_VRING_ERR'),
    level: 'SHOULD',
    needs: { device: 'any known' },
    run(bench) {
      const { queue } = attackRig(bench, [], false)
      if (!(queue.ring instanceof SplitRing)) return
      queue.ring.writeAvail(ATTACKED_SIZE + 3)
      queue.ring.publish()
      queue.kick()
      check(queue.failed(500), 'the error descriptor is not signalled')
    },
  },
  {
    id: 'attacks/others-go-on',
    title: 'a ring that is broken does not break the next session',
    clause: message('SET_VRING_ERR'),
    level: 'robustness',
    needs: { device: 'any known' },
    run(bench) {
      const { session, queue, at } = attackRig(bench, [], false)
      if (!(queue.ring instanceof SplitRing)) return
      queue.ring.writeAvail(ATTACKED_SIZE + 3)
      strike({ session, queue, at })
      session.connection.close()
      const next = bench.open()
      next.work(next.startDevice(), 3)
    },
  },
]
