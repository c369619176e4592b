import { VIRTIO_F_EVENT_IDX } from '@vring/layout'
import type { Bench } from '../bench.ts'
import { type Case, check } from '../case.ts'
import { virtio } from '../clause.ts'
import { type Queue, SETTLE_MS } from '../driver/queue.ts'
import type { Session } from '../driver/session.ts'
import { SplitRing } from '../driver/split-ring.ts'
import { bothFormats, type Format, needsFormat } from './ring-work.ts'

const CLAUSES = {
  split: { used: '2.7.7.2', usedEvent: '2.7.7.2', availEvent: '2.7.10.1' },
  packed: { used: '2.8.14', usedEvent: '2.8.14', availEvent: '2.8.14' },
} as const

function running(bench: Bench, format: Format, eventIdx: boolean): { session: Session; queue: Queue } {
  const session = bench.open({ packed: format === 'packed', eventIdx })
  const queue = session.startDevice({ size: 64 })
  // A first call may come with the start: the device cannot know what the driver has seen.
  queue.ring.wantInterrupts('always')
  session.work(queue)
  queue.called(SETTLE_MS)
  return { session, queue }
}

/** One request after another, kicked only where the device asks for it: none may be left. */
function kickWhenAsked(session: Session, queue: Queue, eventIdx: boolean): void {
  for (let n = 0; n < 200; n++) {
    const requests = session.submit(queue)
    if (asksForKick(queue, eventIdx)) queue.kick()
    session.collect(queue, requests)
  }
}

/** The driver's side of needs-notification, for one buffer that was published just now. */
function asksForKick(queue: Queue, eventIdx: boolean): boolean {
  const { ring } = queue
  // Pairs with the device's barrier between its event and its last look at the ring: what follows is a read-modify-write,
  // which is a full barrier on x86-64 and sequentially consistent everywhere.
  Atomics.add(ring.memory.u16, ring.memory.u16.length - 1, 0)
  if (!eventIdx || !(ring instanceof SplitRing)) return ring.wantsKick()
  return ring.availEvent === ((ring.nextAvail - 1) & 0xffff)
}

/** Which side tells the other, when, and when not. */
export const notifications: readonly Case[] = bothFormats((format) => {
  const clauses = CLAUSES[format]
  const one = (
    name: string,
    clause: string,
    level: Case['level'],
    title: string,
    run: Case['run'],
    features: readonly number[] = [],
  ): Case => ({
    id: `notifications/${format}-${name}`,
    title: `${format}: ${title}`,
    clause: virtio(clause),
    level,
    needs: needsFormat(format, features),
    run,
  })
  const EVENTS = [VIRTIO_F_EVENT_IDX]
  return [
    one('call', clauses.used, 'MUST', 'a used buffer is signalled when the driver asks for it', (bench) => {
      const { session, queue } = running(bench, format, false)
      for (let round = 0; round < 10; round++) {
        session.work(queue)
        check(queue.called(session.connection.patienceMs), `no call for request ${round}`)
      }
    }),
    one('no-call', clauses.used, 'SHOULD', 'no used buffer is signalled when the driver asks for none', (bench) => {
      const { session, queue } = running(bench, format, false)
      queue.ring.wantInterrupts('never')
      session.work(queue, 5)
      check(!queue.called(SETTLE_MS), 'a call came')
    }),
    one('call-again', clauses.used, 'MUST', 'signals come again when the driver asks for them again', (bench) => {
      const { session, queue } = running(bench, format, false)
      queue.ring.wantInterrupts('never')
      session.work(queue, 5)
      queue.called(SETTLE_MS)
      queue.ring.wantInterrupts('always')
      session.work(queue)
      check(queue.called(session.connection.patienceMs), 'no call came')
    }),
    one(
      'kick-when-asked',
      clauses.availEvent,
      'MUST',
      '200 requests that are kicked only when the device asks are served',
      (bench) => {
        const { session, queue } = running(bench, format, false)
        kickWhenAsked(session, queue, false)
      },
    ),
    one(
      'event-kick-when-asked',
      clauses.availEvent,
      'MUST',
      'EVENT_IDX: 200 requests that are kicked only when the device asks are served',
      (bench) => {
        const { session, queue } = running(bench, format, true)
        kickWhenAsked(session, queue, true)
      },
      EVENTS,
    ),
    one(
      'event-call',
      clauses.usedEvent,
      'MUST',
      'EVENT_IDX: the buffer that the driver waits for is signalled',
      (bench) => {
        const { session, queue } = running(bench, format, true)
        for (let round = 0; round < 10; round++) {
          queue.ring.wantInterrupts({ after: 0 })
          session.work(queue)
          check(queue.called(session.connection.patienceMs), `no call for request ${round}`)
        }
      },
      EVENTS,
    ),
    one(
      'event-call-late',
      clauses.usedEvent,
      'MUST',
      'EVENT_IDX: a buffer that is not the next one is signalled when its turn comes',
      (bench) => {
        const { session, queue } = running(bench, format, true)
        // In descriptors of a packed ring, in chains of a split one.
        const unit = format === 'packed' ? session.profile.descriptors : 1
        queue.ring.wantInterrupts({ after: 3 * unit })
        for (let n = 0; n < 4; n++) session.work(queue)
        check(queue.called(session.connection.patienceMs), 'no call though the fourth buffer was used')
      },
      EVENTS,
    ),
    one(
      'event-no-call',
      clauses.usedEvent,
      'SHOULD',
      'EVENT_IDX: buffers before the one that the driver waits for are not signalled',
      (bench) => {
        const { session, queue } = running(bench, format, true)
        queue.ring.wantInterrupts(format === 'packed' ? { after: 3 * session.profile.descriptors } : 'never')
        session.work(queue)
        session.work(queue)
        check(!queue.called(SETTLE_MS), 'a call came for a buffer before it')
      },
      EVENTS,
    ),
    one(
      'event-batch',
      clauses.usedEvent,
      'MUST',
      'EVENT_IDX: a batch that goes past the buffer that the driver waits for is signalled',
      (bench) => {
        const { session, queue } = running(bench, format, true)
        const unit = format === 'packed' ? session.profile.descriptors : 1
        queue.ring.wantInterrupts({ after: 2 * unit })
        session.work(queue, 8)
        check(queue.called(session.connection.patienceMs), 'no call')
      },
      EVENTS,
    ),
  ]
})
