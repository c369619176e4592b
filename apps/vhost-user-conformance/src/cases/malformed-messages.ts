import { FLAG_NEED_REPLY, PROTOCOL_F_REPLY_ACK } from '@vring/vhost-user'
import type { Bench } from '../bench.ts'
import { type Case, check, skip } from '../case.ts'
import { message } from '../clause.ts'
import type { Session } from '../driver/session.ts'
import type { Outcome } from '../wire/connection.ts'
import { vringAddress, vringFd, vringState } from '../wire/payloads.ts'
import type { Request } from '../wire/requests.ts'

const ACK = [PROTOCOL_F_REPLY_ACK]
/** No queue has this index. */
const NO_QUEUE = 0xfffe

interface Shape {
  readonly request: Request
  /** Bytes of its payload. */
  readonly bytes: number
}

/** Requests with a payload of one size, which every back-end knows. */
const SHAPES: readonly Shape[] = [
  { request: 'SET_FEATURES', bytes: 8 },
  { request: 'SET_PROTOCOL_FEATURES', bytes: 8 },
  { request: 'SET_MEM_TABLE', bytes: 40 },
  { request: 'SET_LOG_BASE', bytes: 16 },
  { request: 'SET_VRING_NUM', bytes: 8 },
  { request: 'SET_VRING_ADDR', bytes: 40 },
  { request: 'SET_VRING_BASE', bytes: 8 },
  { request: 'GET_VRING_BASE', bytes: 8 },
  { request: 'SET_VRING_KICK', bytes: 8 },
  { request: 'SET_VRING_CALL', bytes: 8 },
  { request: 'SET_VRING_ERR', bytes: 8 },
  { request: 'SET_VRING_ENABLE', bytes: 8 },
  { request: 'IOTLB_MSG', bytes: 32 },
  { request: 'ADD_MEM_REG', bytes: 40 },
  { request: 'REM_MEM_REG', bytes: 40 },
  { request: 'SET_STATUS', bytes: 8 },
]

function negotiated(bench: Bench): Session {
  return bench.open({ unshared: true, protocol: [] })
}

function refusedOrClosed(outcome: Outcome, what: string): void {
  check(outcome === 'refused' || outcome === 'closed', `${what}: ${outcome}`)
}

function kebab(request: Request): string {
  return request.toLowerCase().replaceAll('_', '-')
}

const truncated: readonly Case[] = SHAPES.map(({ request, bytes }) => ({
  id: `messages/truncated-${kebab(request)}`,
  title: `${request} with half of its payload is refused, or ends the connection`,
  clause: message(request),
  level: 'robustness',
  needs: { protocol: ACK },
  run(bench) {
    const payload = new Uint8Array(bytes / 2)
    // The number of regions, for SET_MEM_TABLE: an empty table would be complete.
    payload[0] = 1
    refusedOrClosed(negotiated(bench).connection.attempt(request, payload), `${request} of ${bytes / 2} bytes`)
  },
}))

const truncatedAtWork: readonly Case[] = SHAPES.map(({ request, bytes }) => ({
  id: `messages/truncated-at-work-${kebab(request)}`,
  title: `${request} with half of its payload while rings run is refused, and they go on, or ends the connection`,
  clause: message(request),
  level: 'robustness',
  needs: { protocol: ACK, device: 'any known' },
  run(bench) {
    const session = bench.open()
    const queue = session.startDevice()
    session.work(queue)
    const payload = new Uint8Array(bytes / 2)
    payload[0] = 1
    const outcome = session.connection.attempt(request, payload)
    refusedOrClosed(outcome, `${request} of ${bytes / 2} bytes`)
    if (outcome === 'refused') session.work(queue, 2)
  },
}))

const overlong: readonly Case[] = SHAPES.map(({ request, bytes }) => ({
  id: `messages/overlong-${kebab(request)}`,
  title: `${request} with 100 bytes too many leaves the connection in step, or ends it`,
  clause: message(request),
  level: 'robustness',
  needs: { protocol: ACK },
  run(bench) {
    const { connection } = negotiated(bench)
    connection.send(request, new Uint8Array(bytes + 100), [], FLAG_NEED_REPLY)
    // SET_LOG_BASE and GET_VRING_BASE have an answer of their own; whatever comes, what follows is answered.
    const first = connection.receive()
    check(first !== 'silent', 'need_reply is not answered, and the connection stands')
    if (first !== 'closed') connection.isInStep()
  },
}))

/** Requests about a queue, for one that does not exist. */
const NO_SUCH_QUEUE: readonly { request: Request; payload: Uint8Array }[] = [
  { request: 'SET_VRING_NUM', payload: vringState(NO_QUEUE, 64) },
  { request: 'SET_VRING_BASE', payload: vringState(NO_QUEUE, 0) },
  { request: 'GET_VRING_BASE', payload: vringState(NO_QUEUE, 0) },
  { request: 'SET_VRING_ENABLE', payload: vringState(NO_QUEUE, 1) },
  {
    request: 'SET_VRING_ADDR',
    payload: vringAddress({ index: NO_QUEUE, flags: 0, desc: 0, used: 0, avail: 0, log: 0 }),
  },
  { request: 'SET_VRING_KICK', payload: vringFd(255, false) },
  { request: 'SET_VRING_CALL', payload: vringFd(255, false) },
  { request: 'SET_VRING_ERR', payload: vringFd(255, false) },
]

const noSuchQueue: readonly Case[] = NO_SUCH_QUEUE.map(({ request, payload }) => ({
  id: `messages/no-queue-${kebab(request)}`,
  title: `${request} for a queue that the device does not have is refused, or ends the connection`,
  clause: message(request),
  level: 'robustness',
  needs: { protocol: ACK },
  run(bench) {
    if (payload[0] === 255 && bench.offer.queues > 255) skip('the device has a queue of every index that fits')
    const { connection } = negotiated(bench)
    connection.send(request, payload, [], FLAG_NEED_REPLY)
    const answer = connection.receive()
    if (answer === 'closed') return
    check(answer !== 'silent', 'need_reply is not answered, and the connection stands')
    // GET_VRING_BASE would answer by the index that it was asked for.
    const done = typeof answer !== 'string' && [0, NO_QUEUE].includes(answer.payload.getUint32(0, true))
    check(!done, `${request} is answered as if there were such a queue`)
  },
}))

/** Values that no ring can have. */
const BAD_VALUES: readonly { id: string; title: string; request: Request; payload: Uint8Array }[] = [
  { id: 'size-zero', title: 'a ring of no entries', request: 'SET_VRING_NUM', payload: vringState(0, 0) },
  { id: 'size-huge', title: 'a ring of 65536 entries', request: 'SET_VRING_NUM', payload: vringState(0, 65536) },
  {
    id: 'size-odd',
    title: 'a split ring of 100 entries, no power of two,',
    request: 'SET_VRING_NUM',
    payload: vringState(0, 100),
  },
  { id: 'enable-two', title: 'SET_VRING_ENABLE with 2', request: 'SET_VRING_ENABLE', payload: vringState(0, 2) },
  {
    id: 'kick-without-descriptor',
    title: 'SET_VRING_KICK without bit 8 and without its descriptor',
    request: 'SET_VRING_KICK',
    payload: vringFd(0, true),
  },
  {
    id: 'call-without-descriptor',
    title: 'SET_VRING_CALL without bit 8 and without its descriptor',
    request: 'SET_VRING_CALL',
    payload: vringFd(0, true),
  },
]

const badValues: readonly Case[] = BAD_VALUES.map(({ id, title, request, payload }) => ({
  id: `messages/${id}`,
  title: `${title} is refused, or ends the connection`,
  clause: message(request),
  level: 'robustness',
  needs: { protocol: ACK },
  run(bench) {
    refusedOrClosed(negotiated(bench).connection.attempt(request, payload), title)
  },
}))

/** Messages whose form or values are wrong. */
export const malformedMessages: readonly Case[] = [
  ...truncated,
  ...truncatedAtWork,
  ...overlong,
  ...noSuchQueue,
  ...badValues,
]
