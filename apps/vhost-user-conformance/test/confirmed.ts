import type { Peer } from './peers.ts'

/** Failures of a peer that were looked at by hand: which cases, and what the peer does. */
export interface Confirmed {
  readonly peer: Peer['id']
  /** Ids, or beginnings of ids that end in `-`. */
  readonly cases: readonly string[]
  readonly what: string
}

function dpdk(what: string, ...cases: string[]): Confirmed {
  return { peer: 'dpdk', cases, what }
}

function qemu(what: string, ...cases: string[]): Confirmed {
  return { peer: 'qemu', cases, what }
}

export const CONFIRMED: readonly Confirmed[] = [
  dpdk(
    'answers need_reply whatever was negotiated',
    'replies/none-without-reply-ack',
    'replies/protocol-features-again',
  ),
  dpdk('leaves the frames of a disabled transmit ring where they are', 'rings/disabled-transmit'),
  dpdk(
    'answers the available index and its wrap counter only; the used half of the word is 0',
    'rings/stop-index-packed',
  ),
  dpdk('does not look again at a ring whose address came after its kick', 'orders/num-kick-base-addr-call-enable'),
  dpdk('refuses SET_VRING_ADDR before SET_MEM_TABLE', 'orders/memory-last'),
  dpdk(
    'compares a new table by addresses and sizes only: other files at the same addresses are not mapped, at other addresses they are',
    'memory/replaced-while-stopped',
  ),
  dpdk('ends by SIGBUS', 'memory/shrunk-file', 'log/base-beyond-file'),
  dpdk('does not compare a region with the size of its file, nor its guest addresses with 2^64', 'memory/bad-'),
  dpdk('answers SET_LOG_BASE without payload, need_reply or not', 'log/base-status'),
  dpdk(
    'ends by SIGSEGV in rte_vhost_dequeue_burst with the first page that it marks in a log whose offset is not 0; offset 0 works',
    'log/offset',
  ),
  dpdk('keeps status 0 as a number: rings go on', 'status/reset'),
  dpdk('GET_VRING_BASE of one ring takes the whole device down, until it has all rings again', 'queues/stop-one'),
  dpdk('does not check the size of some payloads', 'messages/truncated-'),
  dpdk('takes any number but 0 for 1', 'messages/enable-two'),
  dpdk('expects a whole message in one read', 'messages/byte-by-byte', 'messages/payload-in-pieces'),
  dpdk('does not look at the version', 'messages/version-zero', 'messages/version-two'),
  dpdk('never signals the error descriptor', 'attacks/error-signalled'),
  dpdk('sometimes ends by SIGSEGV: a race between its loads of a descriptor', 'attacks/changing'),
  qemu(
    'does not compare what is acknowledged with what it offers',
    'negotiation/unoffered-feature',
    'negotiation/unoffered-protocol-feature',
    'negotiation/gated-request',
  ),
  qemu(
    'answers need_reply whatever was negotiated',
    'replies/none-without-reply-ack',
    'replies/protocol-features-again',
  ),
  qemu('answers 0 to an unknown request', 'replies/unknown', 'replies/unknown-stays'),
  qemu(
    'takes any queue index for one of its array; most end it by SIGSEGV',
    'messages/no-queue-',
    'replies/refusal-changes-nothing',
  ),
  qemu('does not look whether a ring is enabled', 'rings/disabled-at-first'),
  qemu('waits for kicks of a ring that has no kick descriptor', 'rings/polled'),
  qemu('takes a ring without call descriptor for broken when it has to signal', 'rings/no-call'),
  qemu('hangs up at SET_VRING_ADDR before SET_MEM_TABLE', 'orders/memory-last'),
  qemu('ends by SIGBUS', 'memory/shrunk-file', 'log/base-beyond-file'),
  qemu(
    'does not check a table or a region; a count of 2^32 - 1 ends it by SIGSEGV',
    'memory/bad-',
    'slots/remove-unknown',
    'slots/add-without-descriptor',
    'slots/add-overlap',
    'slots/beyond-all',
  ),
  qemu("answers SET_LOG_BASE by the log's size, which is what lies there", 'log/base-status'),
  qemu('takes a log that has no file', 'log/base-without-descriptor'),
  qemu('ends by SIGABRT, an assertion, at a page beyond the log', 'log/too-small'),
  qemu('answers from offset 0 whatever the offset', 'config/read-parts', 'config/read-wraps'),
  qemu(
    'answers 0 to a SET_CONFIG that it then takes for an error, and hangs up',
    'config/write-read-only',
    'config/write-beyond',
  ),
  qemu('does not check the size of a payload', 'messages/truncated-'),
  qemu(
    'does not check the values',
    'messages/size-zero',
    'messages/size-huge',
    'messages/size-odd',
    'messages/enable-two',
    'messages/kick-without-descriptor',
    'messages/call-without-descriptor',
  ),
  qemu('does not look at the version', 'messages/version-zero', 'messages/version-two'),
  qemu('closes no descriptor that it does not use', 'messages/surplus-descriptors', 'messages/many-descriptors'),
  qemu(
    'holds the channel, waits for the end of the connection for ever, and serves no other front-end',
    'messages/own-socket',
  ),
  qemu('never signals the error descriptor', 'attacks/error-signalled'),
]

/** What a peer does wrong in this case; null: not known to be its own fault. */
export function confirmedOf(peer: Peer['id'], id: string): string | null {
  const known = CONFIRMED.find((one) => one.peer === peer && one.cases.some((name) => matches(id, name)))
  return known?.what ?? null
}

function matches(id: string, name: string): boolean {
  return id === name || (name.endsWith('-') && id.startsWith(name))
}
