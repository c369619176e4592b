import { featureSet, hasFeature, VHOST_F_LOG_ALL, VIRTIO_F_ACCESS_PLATFORM, VIRTIO_F_VERSION_1 } from '@vring/layout'
import {
  PROTOCOL_F_BACKEND_REQ,
  PROTOCOL_F_CONFIG,
  PROTOCOL_F_INBAND_NOTIFICATIONS,
  PROTOCOL_F_MQ,
  PROTOCOL_F_REPLY_ACK,
} from '@vring/vhost-user'
import { type Case, check, fail, same, skip } from '../case.ts'
import { message, vhostUser, virtio } from '../clause.ts'
import { PROTOCOL_FEATURES_BIT } from '../driver/session.ts'
import { u64 } from '../wire/payloads.ts'

const PROTOCOL = [PROTOCOL_F_REPLY_ACK]
/** The document defines protocol features up to this bit. */
const PROTOCOL_BITS_KNOWN = 24

/** The lowest bit from `from` on that is not in the set. */
function firstUnoffered(set: bigint, from: number): number {
  for (let bit = from; bit < 64; bit++) if (!hasFeature(set, bit)) return bit
  return skip('every bit is offered')
}

export const negotiation: readonly Case[] = [
  {
    id: 'negotiation/features-first',
    title: 'GET_FEATURES is answered on a connection on which nothing else was said',
    clause: message('GET_FEATURES'),
    level: 'MUST',
    run: (bench) => void bench.connect().askU64('GET_FEATURES'),
  },
  {
    id: 'negotiation/features-constant',
    title: 'GET_FEATURES answers the same before and after SET_FEATURES, and on every connection',
    clause: message('GET_FEATURES'),
    level: 'SHOULD',
    run(bench) {
      const { connection } = bench.open({ unshared: true })
      same(connection.askU64('GET_FEATURES'), bench.offer.features, 'the offer after SET_FEATURES')
    },
  },
  {
    id: 'negotiation/version-1',
    title: 'VIRTIO_F_VERSION_1 is offered',
    clause: virtio('6.2'),
    level: 'MUST',
    run: ({ offer }) => check(hasFeature(offer.features, VIRTIO_F_VERSION_1), 'VIRTIO_F_VERSION_1 (32) is not offered'),
  },
  {
    id: 'negotiation/protocol-features-early',
    title: 'GET_PROTOCOL_FEATURES is answered before SET_FEATURES',
    clause: message('GET_PROTOCOL_FEATURES'),
    level: 'MUST',
    run(bench) {
      if ((bench.offer.features & PROTOCOL_FEATURES_BIT) === 0n) skip('VHOST_USER_F_PROTOCOL_FEATURES is not offered')
      const connection = bench.connect()
      connection.askU64('GET_FEATURES')
      same(connection.askU64('GET_PROTOCOL_FEATURES'), bench.offer.protocol, 'the protocol features')
    },
  },
  {
    id: 'negotiation/set-protocol-features-early',
    title: 'SET_PROTOCOL_FEATURES takes effect before SET_FEATURES',
    clause: message('SET_PROTOCOL_FEATURES'),
    level: 'MUST',
    needs: { protocol: PROTOCOL },
    run(bench) {
      const connection = bench.connect()
      connection.send('SET_PROTOCOL_FEATURES', u64(featureSet(PROTOCOL_F_REPLY_ACK)))
      same(connection.status('SET_OWNER'), 0n, 'the status of SET_OWNER')
    },
  },
  {
    id: 'negotiation/protocol-features-known',
    title: 'no protocol feature is offered that the document does not define',
    clause: vhostUser('Protocol features'),
    level: 'SHOULD',
    run({ offer }) {
      const unknown = offer.protocol >> BigInt(PROTOCOL_BITS_KNOWN)
      check(unknown === 0n, `bits from ${PROTOCOL_BITS_KNOWN} on are offered: 0x${offer.protocol.toString(16)}`)
    },
  },
  {
    id: 'negotiation/inband-offer',
    title: 'INBAND_NOTIFICATIONS is offered together with BACKEND_REQ and REPLY_ACK only',
    clause: vhostUser('In-band notifications'),
    level: 'MUST',
    needs: { protocol: [PROTOCOL_F_INBAND_NOTIFICATIONS] },
    run({ offer }) {
      for (const bit of [PROTOCOL_F_BACKEND_REQ, PROTOCOL_F_REPLY_ACK])
        check(hasFeature(offer.protocol, bit), `protocol feature ${bit} is not offered`)
    },
  },
  {
    id: 'negotiation/inband-alone',
    title: 'INBAND_NOTIFICATIONS without BACKEND_REQ and REPLY_ACK ends the connection',
    clause: vhostUser('In-band notifications'),
    level: 'MUST',
    needs: { protocol: [PROTOCOL_F_INBAND_NOTIFICATIONS] },
    run(bench) {
      const connection = bench.connect()
      connection.send('SET_PROTOCOL_FEATURES', u64(featureSet(PROTOCOL_F_INBAND_NOTIFICATIONS)))
      connection.send('GET_FEATURES')
      check(connection.receive() === 'closed', 'the connection goes on')
    },
  },
  {
    id: 'negotiation/all-offered',
    title: 'all that is offered may be acknowledged together, but ACCESS_PLATFORM and LOG_ALL',
    clause: virtio('2.2.2'),
    level: 'SHOULD',
    needs: { protocol: PROTOCOL },
    run(bench) {
      const { connection } = bench.open({ unshared: true })
      const wanted = bench.offer.features & ~featureSet(VIRTIO_F_ACCESS_PLATFORM, VHOST_F_LOG_ALL)
      same(connection.status('SET_FEATURES', u64(wanted)), 0n, 'the status of SET_FEATURES')
    },
  },
  {
    id: 'negotiation/least',
    title: 'VERSION_1 and PROTOCOL_FEATURES alone are enough',
    clause: virtio('2.2.2'),
    level: 'SHOULD',
    needs: { protocol: PROTOCOL, features: [VIRTIO_F_VERSION_1] },
    run(bench) {
      const { connection } = bench.open({ unshared: true })
      const wanted = featureSet(VIRTIO_F_VERSION_1) | PROTOCOL_FEATURES_BIT
      same(connection.status('SET_FEATURES', u64(wanted)), 0n, 'the status of SET_FEATURES')
    },
  },
  {
    id: 'negotiation/again',
    title: 'features may be negotiated again before any ring runs: a driver was reset and another one came',
    clause: message('SET_FEATURES'),
    level: 'SHOULD',
    needs: { protocol: PROTOCOL, device: 'any known' },
    run(bench) {
      const session = bench.open({ unshared: true })
      const { connection, features } = session
      const least = featureSet(VIRTIO_F_VERSION_1) | PROTOCOL_FEATURES_BIT
      same(connection.status('SET_FEATURES', u64(least)), 0n, 'the status of the first SET_FEATURES')
      same(connection.status('SET_FEATURES', u64(features)), 0n, 'the status of the second SET_FEATURES')
      session.shareMemory()
      session.work(session.startDevice())
    },
  },
  {
    id: 'negotiation/unoffered-feature',
    title: 'a virtio feature that was not offered is refused',
    clause: virtio('2.2.1'),
    level: 'robustness',
    needs: { protocol: PROTOCOL },
    run(bench) {
      const session = bench.open({ unshared: true })
      const bit = firstUnoffered(bench.offer.features, 41)
      const outcome = session.connection.attempt('SET_FEATURES', u64(session.features | featureSet(bit)))
      check(
        outcome === 'refused' || outcome === 'closed',
        `feature ${bit} was not offered, and is acknowledged: ${outcome}`,
      )
    },
  },
  {
    id: 'negotiation/unoffered-protocol-feature',
    title: 'a protocol feature that was not offered is refused',
    clause: message('SET_PROTOCOL_FEATURES'),
    level: 'robustness',
    needs: { protocol: PROTOCOL },
    run(bench) {
      const { connection, protocol } = bench.open({ unshared: true })
      const bit = firstUnoffered(bench.offer.protocol, PROTOCOL_BITS_KNOWN)
      const outcome = connection.attempt('SET_PROTOCOL_FEATURES', u64(protocol | featureSet(bit)))
      check(
        outcome === 'refused' || outcome === 'closed',
        `bit ${bit} was not offered, and is acknowledged: ${outcome}`,
      )
    },
  },
  {
    id: 'negotiation/owner-twice',
    title: 'SET_OWNER a second time leaves the connection in step',
    clause: message('SET_OWNER'),
    level: 'robustness',
    run(bench) {
      const { connection } = bench.open({ unshared: true, withoutReplyAck: true })
      connection.send('SET_OWNER')
      connection.isInStep()
    },
  },
  {
    id: 'negotiation/reset-owner',
    title: 'RESET_OWNER is ignored or disables the rings: the connection goes on',
    clause: message('RESET_OWNER'),
    level: 'SHOULD',
    run(bench) {
      const { connection } = bench.open({ unshared: true, withoutReplyAck: true })
      connection.send('RESET_OWNER')
      check(connection.isInStep(), 'the back-end hung up')
    },
  },
  {
    id: 'negotiation/queue-num',
    title: 'GET_QUEUE_NUM answers at least 1 and at most 32768',
    clause: message('GET_QUEUE_NUM'),
    level: 'MUST',
    needs: { protocol: [PROTOCOL_F_MQ] },
    run(bench) {
      const { connection } = bench.open({ unshared: true })
      const count = connection.askU64('GET_QUEUE_NUM')
      check(count >= 1n && count <= 32768n, `GET_QUEUE_NUM answers ${count}`)
    },
  },
  {
    id: 'negotiation/gated-request',
    title: 'a request of a protocol feature that is offered and not acknowledged is not acted upon',
    clause: vhostUser('Communication'),
    level: 'robustness',
    needs: { protocol: [PROTOCOL_F_REPLY_ACK, PROTOCOL_F_CONFIG] },
    run(bench) {
      const connection = bench.connect()
      connection.send('SET_PROTOCOL_FEATURES', u64(featureSet(PROTOCOL_F_REPLY_ACK)))
      const config = new Uint8Array(12 + 8)
      config[4] = 8
      const outcome = connection.attempt('GET_CONFIG', config)
      if (outcome === 'done') fail('GET_CONFIG is answered though CONFIG was not acknowledged')
    },
  },
]
