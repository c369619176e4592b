import type { FrameSource, NetBackend } from '@vring/vhost-net'
import { expect, frameOf, type NetCase, type NetSubject, receivedOf, sameBytes } from './net-case.ts'

const receives = ({ plugin, arrive }: NetSubject): boolean => plugin.supports.receives && arrive !== undefined

function withSource(
  subject: NetSubject,
  frames: number,
  body: (source: FrameSource, sent: readonly Uint8Array[]) => void,
): void {
  const backend = subject.create() as NetBackend & FrameSource
  try {
    const arrived: Uint8Array[] = []
    for (let i = 0; i < frames; i++) {
      const frame = frameOf(60 + (i % 70), i)
      if (subject.arrive!(backend, frame)) arrived.push(frame)
    }
    body(backend, arrived)
  } finally {
    backend.close()
  }
}

function same(found: readonly Uint8Array[], wanted: readonly Uint8Array[], what: string): void {
  const wrong = found.findIndex((frame, i) => wanted[i] === undefined || !sameBytes(frame, wanted[i]))
  expect(
    wrong < 0,
    `${what}: frame ${wrong} is not the one that came in as number ${wrong}${difference(found[wrong], wanted[wrong])}`,
  )
}

/** The first difference of two frames, as the end of a sentence. */
function difference(found: Uint8Array | undefined, wanted: Uint8Array | undefined): string {
  if (found === undefined || wanted === undefined) return ''
  if (found.length !== wanted.length) return `: ${found.length} bytes; expected ${wanted.length}`
  const at = found.findIndex((byte, i) => byte !== wanted[i])
  const hex = (byte: number): string => `0x${byte.toString(16).padStart(2, '0')}`
  return `: byte ${at} is ${hex(found[at]!)}; expected ${hex(wanted[at]!)}`
}

/** Frames that wait at most: more than a batch, and what every backend should have room for. */
const MANY = 100

/** What is asked of every backend that frames come from. */
export const SOURCE_CASES: readonly NetCase[] = [
  {
    suite: 'receive',
    title: 'has no frame before one came in, and is asked as often as one likes',
    appliesTo: ({ plugin }) => plugin.supports.receives,
    run: (subject) => {
      const backend = subject.create() as NetBackend & FrameSource
      try {
        for (let turn = 0; turn < 3; turn++) {
          const count = receivedOf(backend).length
          expect(count === 0, `receive: ${count} frames, where none came in`)
          backend.consume(0)
        }
      } finally {
        backend.close()
      }
    },
  },
  {
    suite: 'receive',
    title: 'gives the same frames again until they are consumed',
    appliesTo: receives,
    run: (subject) =>
      withSource(subject, 5, (source, arrived) => {
        const first = receivedOf(source)
        expect(first.length > 0, 'receive: no frame, where some came in')
        same(first, arrived, 'receive')
        for (const what of ['receive, again', 'receive after consume(0)']) {
          const again = receivedOf(source)
          expect(again.length >= first.length, `${what}: ${again.length} frames of ${first.length} that wait`)
          same(again, arrived, what)
          source.consume(0)
        }
        same(receivedOf(source), arrived, 'receive after consume(0)')
      }),
  },
  {
    suite: 'receive',
    title: 'consume(n) lets go of the first n, and of no other',
    appliesTo: receives,
    run: (subject) =>
      withSource(subject, 5, (source, arrived) => {
        const first = receivedOf(source).length
        expect(first >= 2, `receive: ${first} frames, where ${arrived.length} came in`)
        source.consume(2)
        const next = receivedOf(source)
        expect(next.length > 0, 'consume: lets go of more than it was told')
        same(next, arrived.slice(2), 'receive after consume(2)')
      }),
  },
  {
    suite: 'receive',
    title: 'many frames come in order, each once, whatever part of a batch is consumed',
    appliesTo: receives,
    run: (subject) =>
      withSource(subject, 0, (source) => {
        const backend = source as unknown as NetBackend
        const [arrived, got]: [Uint8Array[], Uint8Array[]] = [[], []]
        const drain = (down: number): void => {
          for (let turn = 0; turn < 1000 && arrived.length - got.length > down; turn++) {
            const now = receivedOf(source)
            const take = Math.min(now.length, 1 + (turn % 7))
            got.push(...now.slice(0, take))
            source.consume(take)
          }
        }
        for (let i = 0; i < 300; i++) {
          const frame = frameOf(60 + (i % 70), i)
          if (subject.arrive!(backend, frame)) arrived.push(frame)
          if (arrived.length - got.length >= MANY) drain(MANY / 4)
        }
        drain(0)
        expect(got.length === arrived.length, `receive: ${got.length} frames of ${arrived.length}`)
        same(got, arrived, 'receive')
        const more = receivedOf(source).length
        expect(more === 0, `receive: ${more} frames more than came in`)
      }),
  },
  {
    suite: 'receive',
    title: 'frames that wait keep their bytes while others come in',
    appliesTo: receives,
    run: (subject) =>
      withSource(subject, 3, (source, arrived) => {
        const backend = source as unknown as NetBackend
        receivedOf(source)
        const batch = source.receive()
        const { view } = batch
        const places = Array.from(
          { length: batch.count },
          (_, i) => [batch.offset[i]! + batch.headerBytes, batch.offset[i]! + batch.length[i]!] as const,
        )
        for (let i = 0; i < 50; i++) subject.arrive!(backend, frameOf(90, 100 + i))
        for (const [i, [start, end]] of places.entries())
          expect(
            sameBytes(view.u8.slice(start, end), arrived[i]!),
            `receive: frame ${i} changed before it was consumed`,
          )
      }),
  },
  {
    suite: 'receive',
    title: 'wakeFd is a descriptor, or says that there is none',
    appliesTo: ({ plugin }) => plugin.supports.receives,
    run: (subject) =>
      withSource({ ...subject, arrive: subject.arrive ?? (() => false) }, 0, ({ wakeFd }) => {
        expect(
          wakeFd === undefined || Number.isInteger(wakeFd),
          `wakeFd is ${String(wakeFd)}; expected a descriptor, a negative number or nothing`,
        )
      }),
  },
]
