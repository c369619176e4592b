import { VringError } from '@vring/layout'
import { closeFd, PollSet } from '@vring/linux'
import { encodeMessage, FLAG_NEED_REPLY, FLAG_REPLY } from '../messages/header.ts'
import { type IncomingMessage, MessageReader } from '../messages/message-reader.ts'
import {
  type FdPolicy,
  MESSAGES,
  type MessageSpec,
  type ReplyPayload,
  type RequestName,
  type RequestPayload,
  requestLabel,
} from '../messages/messages.ts'
import { none, type PayloadCodec, u64 } from '../messages/payload.ts'
import type { Transport } from '../messages/transport.ts'

/**
 * How long an answer is looked for before this thread sleeps, in microseconds: most are there by then, and waking a
 * thread takes longer.
 */
const LOOK_US = 100

/** Bytes of the longest reply. */
const REPLY_BYTES_MAX = 4096

/** Requests that are under way at once: their answers always find room in the socket. */
const UNANSWERED_MAX = 32

/** A request, what it carries, and the descriptors that travel with it, which stay open here. */
export type FrontendRequest = {
  [Name in RequestName]: readonly [name: Name, payload: RequestPayload<Name>, fds?: readonly number[]]
}[RequestName]

/** The answer of each request; null where there is none but the acknowledgement. */
export type FrontendReplies<Requests extends readonly FrontendRequest[]> = {
  -readonly [At in keyof Requests]: ReplyPayload<Requests[At][0]>
}

/** The requests of a frontend: sent one after the other, answered in the same order. */
export class FrontendRequests {
  readonly #transport: Transport
  readonly #reader: MessageReader
  readonly #wait: () => void
  /** How long to look for an answer before waiting for it, in ms. */
  readonly #lookMs: number

  /** @param wait see `FrontendOptions` */
  constructor(transport: Transport, wait: (() => void) | undefined) {
    this.#transport = transport
    this.#reader = new MessageReader(transport, REPLY_BYTES_MAX, 1)
    this.#wait = wait ?? socketWait(transport)
    this.#lookMs = wait === undefined ? LOOK_US / 1000 : 0
  }

  /**
   * See `VhostUserFrontend.callAll`.
   *
   * @param acks REPLY_ACK is negotiated: each request that has no answer is acknowledged
   */
  call<const Requests extends readonly FrontendRequest[]>(
    requests: Requests,
    acks: boolean,
    replyFds: number[],
  ): FrontendReplies<Requests> {
    const messages = requests.map(([name, payload, fds = []]) => encode(name, payload, fds, acks))
    let sent = 0
    let refusal: VringError | null = null
    const replies = messages.map((message, index) => {
      for (; sent < messages.length && sent < index + UNANSWERED_MAX; sent++) {
        const { bytes, fds } = messages[sent]!
        this.#transport.send(bytes, fds)
      }
      const { name, spec, answer } = message
      if (answer === null) return null
      const reply = this.#reply(spec.id, answer, spec.replyFds, replyFds)
      if (spec.reply === null && answer === u64 && reply !== 0n)
        refusal ??= new VringError('ERR_PROTOCOL', `${name}: the backend refused it`, { field: name, value: reply })
      return spec.reply === null ? null : reply
    })
    if (refusal !== null) throw refusal
    return replies as FrontendReplies<Requests>
  }

  /** Hangs up. */
  close(): void {
    // No answer brings descriptors; those that came all the same are not kept.
    for (const fd of this.#reader.takeFds()) closeFd(fd)
    this.#transport.close()
  }

  #reply(id: number, codec: PayloadCodec<unknown>, policy: FdPolicy, replyFds: number[]): unknown {
    for (const end = performance.now() + this.#lookMs; ; ) {
      const message = this.#reader.next()
      if (message === 'closed') throw new VringError('ERR_CLOSED', 'the backend hung up')
      if (message === 'none') {
        if (performance.now() >= end) this.#wait()
        continue
      }
      const problem = replyProblem(message, id, codec, policy)
      if (problem === null) {
        replyFds.push(...message.fds)
        return codec.decode(new DataView(message.payload.buffer))
      }
      for (const fd of message.fds) closeFd(fd)
      throw new VringError('ERR_PROTOCOL', problem, { field: requestLabel(id) })
    }
  }
}

/** A request as it is sent, and what its answer is read by; null: there is none. */
function encode<Name extends RequestName>(
  name: Name,
  payload: RequestPayload<Name>,
  fds: readonly number[],
  acks: boolean,
) {
  const spec = MESSAGES[name] as unknown as MessageSpec<RequestPayload<Name>, unknown>
  const ack = spec.reply === null && acks
  const bytes = encodeMessage(spec.id, ack ? FLAG_NEED_REPLY : 0, spec.request.encode(payload))
  const answer: PayloadCodec<unknown> | null = spec.reply ?? (ack ? u64 : spec.emptyReply ? none : null)
  return { name, spec, bytes, fds, answer }
}

/** What is wrong with an answer, or null. */
function replyProblem(
  { request, flags, payload, fds }: IncomingMessage,
  id: number,
  codec: PayloadCodec<unknown>,
  policy: FdPolicy,
): string | null {
  const name = requestLabel(id)
  if (request !== id || (flags & FLAG_REPLY) === 0) return `an answer to ${requestLabel(request)}; accepted: to ${name}`
  const [least, most] = codec.bytes
  if (payload.length < least || payload.length > most)
    return `the answer to ${name} has ${payload.length} bytes; accepted: ${least} to ${most}`
  if (fds.length < policy[0] || fds.length > policy[1])
    return `the answer to ${name} has ${fds.length} descriptors; accepted: ${policy[0]} to ${policy[1]}`
  return null
}

function socketWait(transport: Transport): () => void {
  const poll = new PollSet()
  poll.watch([transport.fd])
  return () => {
    if (poll.wait(10_000) === 0)
      throw new VringError('ERR_SYSTEM', 'the backend does not answer within 10 s', {
        field: 'poll',
        value: 'ETIMEDOUT',
      })
  }
}
