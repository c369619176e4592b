import { featureSet, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { encodeMessage, HEADER_BYTES } from '@vring/vhost-user'
import type { Bench } from '../bench.ts'
import { type Case, check } from '../case.ts'
import { vhostUser } from '../clause.ts'
import { pause } from '../driver/pause.ts'
import type { Connection } from '../wire/connection.ts'
import { NOTHING, u64 } from '../wire/payloads.ts'
import { REQUESTS } from '../wire/requests.ts'

const HEADER = vhostUser('Header')

function raw(
  id: string,
  title: string,
  run: (connection: Connection, bench: Bench) => void,
  level: Case['level'] = 'robustness',
): Case {
  return { id: `messages/${id}`, title, clause: HEADER, level, run: (bench) => run(bench.connect(), bench) }
}

function header(request: number, flags: number, size: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, request, true)
  view.setUint32(4, flags, true)
  view.setUint32(8, size, true)
  return bytes
}

/** What is no message, or comes in pieces. */
export const messageFraming: readonly Case[] = [
  raw(
    'byte-by-byte',
    'a message that arrives byte by byte is answered',
    (connection) => {
      for (const byte of encodeMessage(REQUESTS.GET_FEATURES, 0, NOTHING)) {
        connection.sendBytes(Uint8Array.of(byte))
        pause(5)
      }
      connection.answer('GET_FEATURES')
    },
    'SHOULD',
  ),
  raw(
    'payload-in-pieces',
    'a payload that arrives in pieces is taken',
    (connection) => {
      const bytes = encodeMessage(REQUESTS.SET_FEATURES, 0, u64(featureSet(VIRTIO_F_VERSION_1)))
      for (let at = 0; at < bytes.length; at += 7) {
        connection.sendBytes(bytes.slice(at, at + 7))
        pause(5)
      }
      connection.send('GET_FEATURES')
      connection.answer('GET_FEATURES')
    },
    'SHOULD',
  ),
  raw('half-header', 'a connection that ends within a header does no harm', (connection) => {
    connection.sendBytes(header(1, 1, 0).slice(0, 7))
    connection.close()
  }),
  raw('half-payload', 'a connection that ends within a payload does no harm', (connection) => {
    connection.sendBytes(header(REQUESTS.SET_VRING_ADDR, 1, 40))
    connection.sendBytes(new Uint8Array(11))
    connection.close()
  }),
  raw('size-max', 'a size of 2^32 - 1 ends the connection', (connection) => {
    connection.sendBytes(header(REQUESTS.GET_FEATURES, 1, 0xffff_ffff))
    connection.sendBytes(new Uint8Array(4096))
    check(connection.receive(500) === 'closed', 'the connection stands')
  }),
  raw('size-sign', 'a size of 2^31 ends the connection', (connection) => {
    connection.sendBytes(header(REQUESTS.SET_MEM_TABLE, 1, 0x8000_0000))
    check(connection.receive(500) === 'closed', 'the connection stands')
  }),
  raw('version-zero', 'a message of version 0 is not acted upon', (connection) => {
    connection.sendBytes(header(REQUESTS.GET_FEATURES, 0, 0))
    const answer = connection.receive(200)
    check(typeof answer === 'string', 'it is answered')
  }),
  raw('version-two', 'a message of version 2 is not acted upon', (connection) => {
    connection.sendBytes(header(REQUESTS.GET_FEATURES, 2, 0))
    const answer = connection.receive(200)
    check(typeof answer === 'string', 'it is answered')
  }),
  raw('reply-flag', 'a reply that was not asked for does no harm', (connection) => {
    connection.sendBytes(header(REQUESTS.GET_FEATURES, 5, 0))
    connection.send('GET_FEATURES')
    connection.receive(500)
  }),
  raw('request-zero', 'request 0 does no harm', (connection) => {
    connection.send(0)
    connection.send('GET_FEATURES')
    connection.receive(500)
  }),
  raw('request-max', 'request 2^32 - 1 does no harm', (connection) => {
    connection.send(0xffff_ffff, u64(0))
    connection.send('GET_FEATURES')
    connection.receive(500)
  }),
  raw('noise', '4 KiB of noise do no harm', (connection) => {
    // xorshift32, so that it is the same noise each time.
    let state = 0x2545_f491
    const bytes = Uint8Array.from({ length: 4096 }, () => {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      return state & 0xff
    })
    connection.sendBytes(bytes)
    connection.receive(100)
  }),
]
