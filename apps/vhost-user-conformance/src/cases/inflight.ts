import { VIRTIO_F_RING_PACKED } from '@vring/layout'
import { closeFd, Mapping } from '@vring/linux'
import { PROTOCOL_F_INFLIGHT_SHMFD, PROTOCOL_F_REPLY_ACK } from '@vring/vhost-user'
import type { Bench } from '../bench.ts'
import { type Case, check, same } from '../case.ts'
import { message, vhostUser } from '../clause.ts'
import type { Session } from '../driver/session.ts'
import { inflightArea } from '../wire/payloads.ts'

const TRACKING = vhostUser('Inflight I/O tracking')
const INFLIGHT = [PROTOCOL_F_INFLIGHT_SHMFD, PROTOCOL_F_REPLY_ACK]
const QUEUE_SIZE = 64
/** Offsets in a split queue's region: version, desc_num, used_idx, descriptors of 16 bytes each. */
const SPLIT = { version: 8, descNum: 10, usedIdx: 14, desc: 16, descBytes: 16, counter: 8 }

/** The area that the back-end has made, mapped here. */
class Area {
  readonly fd: number
  readonly size: number
  readonly offset: number
  readonly queues: number
  readonly view: DataView
  readonly #mapping: Mapping

  /** GET_INFLIGHT_FD. */
  constructor(session: Session, queues: number, queueSize = QUEUE_SIZE) {
    const { payload, fds } = session.connection.ask('GET_INFLIGHT_FD', inflightArea(0, 0, queues, queueSize))
    const bytes = payload.byteLength
    check(bytes === 20 || bytes === 24, `the answer has ${bytes} bytes, not 20, or 24 with its padding`)
    this.size = Number(payload.getBigUint64(0, true))
    this.offset = Number(payload.getBigUint64(8, true))
    this.queues = payload.getUint16(16, true)
    check(this.size > 0, 'its mmap size is 0')
    same(fds.length, 1, 'the number of descriptors that come with it')
    this.fd = fds.shift()!
    const length = Math.ceil((this.offset + this.size) / 4) * 4
    this.#mapping = Mapping.of(this.fd, { length })
    this.view = new DataView(this.#mapping.buffer, this.offset)
  }

  /** SET_INFLIGHT_FD. */
  send(session: Session): void {
    session.tell('SET_INFLIGHT_FD', inflightArea(this.size, this.offset, this.queues, QUEUE_SIZE), [this.fd])
  }

  close(): void {
    this.#mapping.unmap()
    closeFd(this.fd)
  }
}

function open(bench: Bench, packed = false): Session {
  return bench.open({ protocol: [PROTOCOL_F_INFLIGHT_SHMFD], packed })
}

/** Queues up to the one that takes requests. */
function queuesOf(session: Session): number {
  return session.profile.requestQueue + 1
}

function one(id: string, level: Case['level'], title: string, run: Case['run'], more: Case['needs'] = {}): Case {
  return {
    id: `inflight/${id}`,
    title,
    clause: TRACKING,
    level,
    needs: { protocol: INFLIGHT, device: 'any known', ...more },
    run,
  }
}

/** What a back-end that died has left undone. */
export const inflight: readonly Case[] = [
  {
    ...one(
      'get',
      'MUST',
      'GET_INFLIGHT_FD answers an area with one descriptor, large enough for its queues, no descriptor in flight',
      (bench) => {
        const session = open(bench)
        const queues = queuesOf(session)
        const area = bench.own(new Area(session, queues))
        check(area.size >= queues * (SPLIT.desc + QUEUE_SIZE * SPLIT.descBytes), `its mmap size is ${area.size}`)
        const region = regionBytes(area)
        for (let queue = 0; queue < queues; queue++)
          for (let at = SPLIT.desc; at < region; at++)
            same(area.view.getUint8(queue * region + at), 0, `byte ${at} of queue ${queue}`)
      },
    ),
    clause: message('GET_INFLIGHT_FD'),
  },
  {
    ...one('set', 'MUST', 'the area is taken back by SET_INFLIGHT_FD, and rings run with it', (bench) => {
      const session = open(bench)
      bench.own(new Area(session, queuesOf(session))).send(session)
      session.work(session.startDevice({ size: QUEUE_SIZE }), 5)
    }),
    clause: message('SET_INFLIGHT_FD'),
  },
  one(
    'split-idle',
    'MUST',
    'split: after all requests are used none is in flight, and used_idx is that of the ring',
    (bench) => {
      const session = open(bench)
      const index = session.profile.requestQueue
      const area = bench.own(new Area(session, queuesOf(session)))
      area.send(session)
      const queue = session.startDevice({ size: QUEUE_SIZE })
      session.work(queue, 5)
      queue.stop()
      const base = index * regionBytes(area)
      same(area.view.getUint16(base + SPLIT.version, true), 1, 'the version')
      same(area.view.getUint16(base + SPLIT.descNum, true), QUEUE_SIZE, 'desc_num')
      same(area.view.getUint16(base + SPLIT.usedIdx, true), 5, 'used_idx')
      for (let n = 0; n < QUEUE_SIZE; n++)
        same(area.view.getUint8(base + SPLIT.desc + SPLIT.descBytes * n), 0, `inflight of descriptor ${n}`)
    },
  ),
  one(
    'split-resubmit',
    'MUST',
    'split: a request that the area has in flight is done after a reconnect',
    (bench) => {
      const session = open(bench)
      const area = bench.own(new Area(session, queuesOf(session)))
      area.send(session)
      const queue = session.startDevice({ size: QUEUE_SIZE })
      session.work(queue, 3)
      const base = queue.stop()
      session.connection.close()
      // As a back-end leaves it that died with a request taken and not used: in the area, and before the base.
      const next = bench.open({ protocol: [PROTOCOL_F_INFLIGHT_SHMFD], memories: [session.memory] })
      const again = next.queue(queue.index, { size: QUEUE_SIZE })
      const [head, request] = [...next.submit(again)][0]!
      const at = queue.index * regionBytes(area) + SPLIT.desc + SPLIT.descBytes * head
      area.view.setUint8(at, 1)
      area.view.setBigUint64(at + SPLIT.counter, 1000n, true)
      area.view.setUint16(queue.index * regionBytes(area) + SPLIT.usedIdx, 0, true)
      check(base === 3, `the base is ${base}`)
      area.send(next)
      next.startCompanions({ size: QUEUE_SIZE })
      again.start(1)
      again.kick()
      const [used] = again.used(1)
      same(used!.id, head, 'the id')
      request.check(used!)
    },
    { device: 'blk' },
  ),
  {
    ...one(
      'get-huge',
      'robustness',
      'an area for 65535 queues is refused or made, and the back-end goes on',
      (bench) => {
        const session = open(bench)
        session.connection.send('GET_INFLIGHT_FD', inflightArea(0, 0, 0xffff, 0xffff))
        if (session.connection.receive() !== 'closed') session.connection.isInStep()
      },
    ),
    clause: message('GET_INFLIGHT_FD'),
  },
  {
    ...one('set-without-descriptor', 'robustness', 'SET_INFLIGHT_FD without a descriptor is refused', (bench) => {
      const session = open(bench)
      const outcome = session.connection.attempt('SET_INFLIGHT_FD', inflightArea(4096, 0, 1, QUEUE_SIZE))
      check(outcome === 'refused' || outcome === 'closed', `SET_INFLIGHT_FD: ${outcome}`)
    }),
    clause: message('SET_INFLIGHT_FD'),
  },
  {
    ...one('set-too-small', 'robustness', 'an area that is too small for its queues is refused', (bench) => {
      const session = open(bench)
      const { fd } = bench.memory({ bytes: 4096 })
      const outcome = session.connection.attempt('SET_INFLIGHT_FD', inflightArea(8, 0, 2, 1024), [fd])
      check(outcome === 'refused' || outcome === 'closed', `SET_INFLIGHT_FD: ${outcome}`)
    }),
    clause: message('SET_INFLIGHT_FD'),
  },
  {
    ...one(
      'set-beyond-file',
      'robustness',
      'an area that is larger than its file is refused, or does no harm',
      (bench) => {
        const session = open(bench)
        const { fd } = bench.memory({ bytes: 4096 })
        const outcome = session.connection.attempt(
          'SET_INFLIGHT_FD',
          inflightArea(2 ** 24, 4096, queuesOf(session), QUEUE_SIZE),
          [fd],
        )
        if (outcome === 'closed') return
        const queue = session.startDevice({ size: QUEUE_SIZE })
        session.submit(queue)
        queue.kick()
        queue.settle(50)
      },
    ),
    clause: message('SET_INFLIGHT_FD'),
  },
  one(
    'packed-idle',
    'MUST',
    'packed: rings run with the area, and after all requests are used none is in flight',
    (bench) => {
      const session = open(bench, true)
      const area = bench.own(new Area(session, queuesOf(session)))
      area.send(session)
      const queue = session.startDevice({ size: QUEUE_SIZE })
      session.work(queue, 5)
      queue.stop()
      const base = queue.index * (area.size / area.queues)
      same(area.view.getUint16(base + 8, true), 1, 'the version')
      for (let n = 0; n < QUEUE_SIZE; n++)
        same(area.view.getUint8(base + 32 + 32 * n), 0, `inflight of descriptor ${n}`)
    },
    { features: [VIRTIO_F_RING_PACKED] },
  ),
]

/** Bytes of one queue's region: they follow one another in equal steps. */
function regionBytes(area: Area): number {
  return Math.floor(area.size / area.queues)
}
