import { NET_BATCH, type NetBackend } from '@vring/vhost-net'
import {
  batchOf,
  expect,
  frameOf,
  HEADER_BYTES,
  type NetCase,
  type NetSubject,
  sameBytes,
  transmit,
  transmitAll,
} from './net-case.ts'

/** Bytes of an Ethernet header: a frame below it is none. */
const SHORTEST = 14

const seen = (subject: NetSubject): boolean => subject.sent !== undefined

function withBackend(subject: NetSubject, body: (backend: NetBackend) => void): void {
  const backend = subject.create()
  try {
    body(backend)
  } finally {
    backend.close()
  }
}

function dropped(backend: NetBackend): number {
  const reasons = Object.entries(backend.counters.txDropped)
  for (const [reason, count] of reasons)
    expect(Number.isInteger(count) && count >= 0, `counters.txDropped.${reason} is ${count}; expected a count`)
  return reasons.reduce((sum, [, count]) => sum + count, 0)
}

/** What is asked of every backend that frames go to. */
export const BACKEND_CASES: readonly NetCase[] = [
  {
    suite: 'transmit',
    title: 'an empty batch is taken, and changes no counter',
    run: (subject) =>
      withBackend(subject, (backend) => {
        expect(transmit(backend, batchOf([])) === 0, 'transmit: takes frames of an empty batch')
        backend.flush()
        expect(backend.counters.txFrames === 0, `counters.txFrames is ${backend.counters.txFrames} after no frame`)
      }),
  },
  {
    suite: 'transmit',
    title: 'counts the frames that it takes, and their bytes without headers',
    run: (subject) =>
      withBackend(subject, (backend) => {
        let [frames, bytes] = [0, 0]
        for (const count of [1, 7, NET_BATCH]) {
          const batch = batchOf(Array.from({ length: count }, (_, i) => frameOf(60 + i, i)))
          transmitAll(backend, batch)
          frames += count
          for (let i = 0; i < count; i++) bytes += batch.length[i]! - HEADER_BYTES
        }
        const { txFrames, txBytes } = backend.counters
        expect(txFrames === frames, `counters.txFrames is ${txFrames} after ${frames} frames`)
        expect(txBytes === bytes, `counters.txBytes is ${txBytes} after ${bytes} bytes without headers`)
      }),
  },
  {
    suite: 'transmit',
    title: 'a frame shorter than an Ethernet header is dropped and counted, and so is one of no byte',
    run: (subject) =>
      withBackend(subject, (backend) => {
        transmitAll(backend, batchOf([frameOf(0, 1), frameOf(SHORTEST - 1, 2)]))
        expect(dropped(backend) === 2, `counters.txDropped has ${dropped(backend)} of 2 frames that are none`)
        expect((subject.sent?.(backend) ?? []).length === 0, 'transmit: sends what is no frame')
      }),
  },
  {
    suite: 'transmit',
    title: 'never drops more than it took, and no longer counts a frame as taken twice',
    run: (subject) =>
      withBackend(subject, (backend) => {
        for (let round = 0; round < 40; round++)
          transmitAll(backend, batchOf([frameOf(64, round), frameOf(1514, round)]))
        const { txFrames } = backend.counters
        expect(txFrames === 80, `counters.txFrames is ${txFrames} after 80 frames`)
        expect(dropped(backend) <= txFrames, `counters.txDropped has ${dropped(backend)} of ${txFrames} frames`)
      }),
  },
  {
    suite: 'transmit',
    title: 'leaves the memory of a driver as it was, unless needsCopy says that it writes',
    appliesTo: () => true,
    run: (subject) =>
      withBackend(subject, (backend) => {
        if (backend.needsCopy === true) return
        const batch = batchOf([frameOf(64, 1), frameOf(1514, 2)])
        const before = batch.view.u8.slice()
        transmitAll(backend, batch)
        const at = batch.view.u8.findIndex((byte, i) => byte !== before[i])
        expect(at < 0, `transmit: byte ${at} of the driver's memory changed from ${before[at]} to ${batch.view.u8[at]}`)
      }),
  },
  {
    suite: 'transmit',
    title: 'looks at no column past count, and at nothing outside of a frame',
    run: (subject) =>
      withBackend(subject, (backend) => {
        for (const count of [1, 2, 63])
          transmitAll(backend, batchOf(Array.from({ length: count }, (_, i) => frameOf(60, i))))
        const sent = subject.sent?.(backend) ?? []
        for (const frame of sent)
          expect(frame.length === 60, `transmit: a frame of 60 bytes leaves with ${frame.length}`)
      }),
  },
  {
    suite: 'transmit',
    title: 'frames leave as they were, in order, each once',
    appliesTo: seen,
    run: (subject) =>
      withBackend(subject, (backend) => {
        const frames = Array.from({ length: 3 * NET_BATCH }, (_, i) => frameOf(60 + (i % 90), i))
        const left: Uint8Array[] = []
        for (let first = 0; first < frames.length; first += NET_BATCH) {
          transmitAll(backend, batchOf(frames.slice(first, first + NET_BATCH)))
          left.push(...subject.sent!(backend))
        }
        expect(left.length === frames.length, `transmit: ${left.length} frames left of ${frames.length}`)
        const wrong = frames.findIndex((frame, i) => !sameBytes(frame, left[i]!))
        expect(wrong < 0, `transmit: frame ${wrong} left with other bytes, or in another order`)
      }),
  },
  {
    suite: 'transmit',
    title: "keeps nothing of the memory after flush: it is the driver's again",
    appliesTo: seen,
    run: (subject) =>
      withBackend(subject, (backend) => {
        const frame = frameOf(200, 9)
        const batch = batchOf([frame])
        transmitAll(backend, batch)
        batch.view.u8.fill(0x55)
        const sent = subject.sent!(backend)
        expect(
          sent.length === 1 && sameBytes(sent[0]!, frame),
          'flush: a frame changed when the driver used its memory again',
        )
      }),
  },
  {
    suite: 'transmit',
    title: 'takes each batch from the view that it names, which may be another one',
    appliesTo: seen,
    run: (subject) =>
      withBackend(subject, (backend) => {
        transmitAll(backend, batchOf([frameOf(100, 1)]))
        subject.sent!(backend)
        transmitAll(backend, batchOf([frameOf(61, 8), frameOf(100, 7)]))
        const sent = subject.sent!(backend)
        expect(
          sent.length === 2 && sameBytes(sent[1]!, frameOf(100, 7)),
          'transmit: a frame is read from the view of an earlier batch',
        )
      }),
  },
  {
    suite: 'transmit',
    title: 'flush without a batch does nothing, however often',
    run: (subject) =>
      withBackend(subject, (backend) => {
        backend.flush()
        backend.flush()
        transmitAll(backend, batchOf([frameOf(60, 3)]))
        backend.flush()
        const { txFrames } = backend.counters
        expect(txFrames === 1, `flush: counters.txFrames is ${txFrames} after 1 frame`)
        if (subject.sent !== undefined) {
          const left = subject.sent(backend).length
          expect(left === 1, `flush: 1 frame left as ${left}`)
        }
      }),
  },
  {
    suite: 'transmit',
    title: 'two backends of one plugin have nothing in common',
    run: (subject) =>
      withBackend(subject, (first) =>
        withBackend(subject, (second) => {
          transmitAll(first, batchOf([frameOf(60, 1)]))
          const { txFrames } = second.counters
          expect(txFrames === 0, `create: another queue's counters.txFrames is ${txFrames}`)
          expect((subject.sent?.(second) ?? []).length === 0, "create: a frame left by another queue's backend")
        }),
      ),
  },
]
