import { VIRTIO_F_INDIRECT_DESC, VIRTIO_F_RING_PACKED } from '@vring/layout'
import type { Bench } from '../bench.ts'
import { type Case, check, type Needs } from '../case.ts'
import { virtio } from '../clause.ts'
import type { Queue } from '../driver/queue.ts'
import type { Session } from '../driver/session.ts'

export type Format = 'split' | 'packed'

/** Cases for both ring formats: the same facts, by other clauses. */
export function bothFormats(cases: (format: Format) => readonly Case[]): readonly Case[] {
  return (['split', 'packed'] as const).flatMap((format) => cases(format))
}

/** What a case of this format needs. */
export function needsFormat(format: Format, features: readonly number[] = []): Needs {
  return { device: 'any known', features: format === 'packed' ? [VIRTIO_F_RING_PACKED, ...features] : features }
}

function running(bench: Bench, format: Format, size: number, features: readonly number[] = []) {
  const session = bench.open({ packed: format === 'packed', features })
  return { session, queue: session.startDevice({ size }) }
}

/** Where the document speaks of the same thing for each format. */
const CLAUSES = {
  split: {
    supply: '2.7.13',
    used: '2.7.8',
    wrap: '2.7.6',
    indirect: '2.7.5.3',
    areas: '2.7.5',
    size: '2.7',
    readable: '2.7.5.1',
  },
  packed: {
    supply: '2.8.21',
    used: '2.8.20',
    wrap: '2.8.1',
    indirect: '2.8.7',
    areas: '2.8.10',
    size: '2.8.10.1',
    readable: '2.8.15',
  },
} as const

/** Fills the ring to its last descriptor. */
function fillUp(session: Session, queue: Queue): void {
  const count = Math.floor(queue.ring.room / session.profile.descriptors)
  session.work(queue, count)
}

/** Rings at work, in both formats. */
export const ringWork: readonly Case[] = bothFormats((format) => {
  const clauses = CLAUSES[format]
  const one = (
    name: string,
    clause: string,
    title: string,
    run: Case['run'],
    features: readonly number[] = [],
    level: Case['level'] = 'MUST',
  ): Case => ({
    id: `${format}/${name}`,
    title,
    clause: virtio(clause),
    level,
    needs: needsFormat(format, features),
    run,
  })
  return [
    one('one', clauses.supply, `${format}: a request is used with its id and the length that was written`, (bench) => {
      const { session, queue } = running(bench, format, 64)
      session.work(queue)
    }),
    one('wraps', clauses.wrap, `${format}: a ring of 8 serves 100 requests, one by one`, (bench) => {
      const { session, queue } = running(bench, format, 8)
      for (let n = 0; n < 100; n++) session.work(queue)
    }),
    one('full', clauses.supply, `${format}: a ring that is full to the last descriptor is served`, (bench) => {
      const { session, queue } = running(bench, format, 16)
      for (let round = 0; round < 6; round++) fillUp(session, queue)
    }),
    one('batches', clauses.supply, `${format}: batches of every size up to 20 are served`, (bench) => {
      const { session, queue } = running(bench, format, 64)
      for (let count = 1; count <= 20; count++) session.work(queue, count)
    }),
    one('large', clauses.size, `${format}: a ring of 1024 is served`, (bench) => {
      const { session, queue } = running(bench, format, 1024)
      session.work(queue, 300)
    }),
    one('small', clauses.size, `${format}: a ring of 4 is served`, (bench) => {
      const { session, queue } = running(bench, format, 4)
      session.work(queue, 9)
    }),
    one(
      'indirect',
      clauses.indirect,
      `${format}: a chain in an indirect table is served`,
      (bench) => {
        const { session, queue } = running(bench, format, 8, [VIRTIO_F_INDIRECT_DESC])
        for (let round = 0; round < 10; round++) session.work(queue, 3, true)
      },
      [VIRTIO_F_INDIRECT_DESC],
    ),
    one(
      'indirect-mixed',
      clauses.indirect,
      `${format}: direct and indirect chains take turns`,
      (bench) => {
        const { session, queue } = running(bench, format, 16, [VIRTIO_F_INDIRECT_DESC])
        for (let round = 0; round < 12; round++) session.work(queue, 2, round % 2 === 0)
      },
      [VIRTIO_F_INDIRECT_DESC],
    ),
    one('reads-only', clauses.areas, `${format}: the device writes into no area that is the driver's`, (bench) => {
      const { session, queue } = running(bench, format, 16)
      const { memory, driver, desc } = queue.ring
      const requests = session.add(queue, 4)
      const count = 4 * session.profile.descriptors
      // A packed device writes the descriptors that it uses, and an index is written by publishing: those are left out.
      const split = [
        [desc, 16 * count],
        [driver, 2],
        [driver + 4, 2 * 16],
      ] as const
      const areas = format === 'split' ? split : ([[driver, 4]] as const)
      const before = areas.map(([at, length]) => textOf(memory.bytes, at, length))
      queue.ring.publish()
      queue.kick()
      session.collect(queue, requests)
      for (const [index, [at, length]] of areas.entries())
        check(textOf(memory.bytes, at, length) === before[index], `the area at offset ${at} has changed`)
    }),
    one('keeps-readable', clauses.readable, `${format}: the device does not write into a readable buffer`, (bench) => {
      const { session, queue } = running(bench, format, 16)
      const { memory } = queue.ring
      const request = session.profile.request(memory)
      const pieces = request.chain.filter(({ writable }) => !writable)
      const texts = pieces.map(({ address, length }) =>
        textOf(memory.bytes, Number(address) - memory.guestAddress, length),
      )
      queue.ring.add(request.chain)
      queue.ring.publish()
      queue.kick()
      for (const used of queue.used(1)) request.check(used)
      for (const [index, { address, length }] of pieces.entries())
        check(
          textOf(memory.bytes, Number(address) - memory.guestAddress, length) === texts[index],
          `readable buffer ${index} has changed`,
        )
    }),
  ]
})

function textOf(bytes: Uint8Array, at: number, length: number): string {
  return bytes.slice(at, at + length).join()
}

/** Rings that are no power of two, which only packed ones may be. */
export const ringSizes: readonly Case[] = [
  {
    id: 'packed/odd-size',
    title: 'packed: a ring of 24, no power of two, is served round after round',
    clause: virtio('2.8.10.1'),
    level: 'SHOULD',
    needs: needsFormat('packed'),
    run(bench) {
      const { session, queue } = running(bench, 'packed', 24)
      session.work(queue, 60)
    },
  },
]
