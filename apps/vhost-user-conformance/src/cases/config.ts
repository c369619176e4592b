import { PROTOCOL_F_CONFIG, PROTOCOL_F_REPLY_ACK } from '@vring/vhost-user'
import type { Bench } from '../bench.ts'
import { type Case, check, fail, same } from '../case.ts'
import { message, virtio } from '../clause.ts'
import type { Connection } from '../wire/connection.ts'
import { configSpace } from '../wire/payloads.ts'

const CONFIG = [PROTOCOL_F_CONFIG, PROTOCOL_F_REPLY_ACK]
/** Bytes before the contents. */
const HEADER = 12
/** A space of more bytes than this can't be asked for. */
const CONFIG_BYTES_MAX = 256

function open(bench: Bench): Connection {
  return bench.open({ protocol: [PROTOCOL_F_CONFIG], unshared: true }).connection
}

/** Contents of the space from an offset; null: refused by an answer without payload. */
function read(connection: Connection, offset: number, size: number): Uint8Array | null {
  const { payload } = connection.ask('GET_CONFIG', configSpace(offset, size, 0, new Uint8Array(size)))
  if (payload.byteLength === 0) return null
  same(payload.byteLength, HEADER + size, 'the size of the answer to GET_CONFIG')
  same(payload.getUint32(0, true), offset, 'its offset')
  same(payload.getUint32(4, true), size, 'its size field')
  return new Uint8Array(payload.buffer, HEADER)
}

function one(
  id: string,
  request: string,
  level: Case['level'],
  title: string,
  run: Case['run'],
  more: Case['needs'] = {},
): Case {
  return { id: `config/${id}`, title, clause: message(request), level, needs: { protocol: CONFIG, ...more }, run }
}

/** The configuration space of the device. */
export const config: readonly Case[] = [
  one('read', 'GET_CONFIG', 'MUST', 'GET_CONFIG answers as many bytes as were asked for', (bench) => {
    check(read(open(bench), 0, 8) !== null, 'the first 8 bytes are refused')
  }),
  one('read-parts', 'GET_CONFIG', 'MUST', 'GET_CONFIG answers from its offset on', (bench) => {
    const connection = open(bench)
    const whole = read(connection, 0, 8) ?? fail('the first 8 bytes are refused')
    const part = read(connection, 4, 4) ?? fail('bytes 4 to 7 are refused')
    same(part.join(), whole.slice(4).join(), 'bytes 4 to 7')
  }),
  one(
    'read-beyond',
    'GET_CONFIG',
    'robustness',
    'GET_CONFIG beyond the space is refused, and the connection stays in step',
    (bench) => {
      const connection = open(bench)
      connection.send('GET_CONFIG', configSpace(CONFIG_BYTES_MAX - 4, 64, 0, new Uint8Array(64)))
      const reply = connection.receive()
      if (reply === 'closed') return
      if (reply === 'silent') fail('GET_CONFIG is not answered')
      check(reply.payload.byteLength === 0, `it is answered by ${reply.payload.byteLength} bytes`)
      connection.isInStep()
    },
  ),
  one('read-wraps', 'GET_CONFIG', 'robustness', 'an offset and a size that wrap are refused', (bench) => {
    const connection = open(bench)
    connection.send('GET_CONFIG', configSpace(0xffff_fff0, 32, 0, new Uint8Array(32)))
    const reply = connection.receive()
    if (reply === 'closed') return
    if (reply === 'silent') fail('GET_CONFIG is not answered')
    check(reply.payload.byteLength === 0, `it is answered by ${reply.payload.byteLength} bytes`)
  }),
  one('read-size-lies', 'GET_CONFIG', 'robustness', 'a size that is not that of the payload does no harm', (bench) => {
    const connection = open(bench)
    connection.send('GET_CONFIG', configSpace(0, 4096, 0, new Uint8Array(8)))
    const reply = connection.receive()
    if (typeof reply !== 'string')
      check(reply.payload.byteLength <= HEADER + CONFIG_BYTES_MAX, 'the answer is longer than a space can be')
  }),
  one('write-beyond', 'SET_CONFIG', 'robustness', 'SET_CONFIG beyond the space is refused', (bench) => {
    const outcome = open(bench).attempt('SET_CONFIG', configSpace(0xffff_0000, 8, 0, new Uint8Array(8)))
    check(outcome === 'refused' || outcome === 'closed', `SET_CONFIG: ${outcome}`)
  }),
  one(
    'write-read-only',
    'SET_CONFIG',
    'MUST',
    'SET_CONFIG of a read-only field without the live migration flag is not accepted',
    (bench) => {
      const connection = open(bench)
      const before = read(connection, 0, 8) ?? fail('the first 8 bytes are refused')
      const other = before.map((byte) => byte ^ 0xff)
      const outcome = connection.attempt('SET_CONFIG', configSpace(0, 8, 0, other))
      if (outcome === 'closed') return
      same((read(connection, 0, 8) ?? fail('the first 8 bytes are refused')).join(), before.join(), 'the capacity')
    },
    { device: 'blk' },
  ),
  {
    ...one(
      'capacity',
      'GET_CONFIG',
      'MUST',
      'the capacity is more than no sectors',
      (bench) => {
        const bytes = read(open(bench), 0, 8) ?? fail('the first 8 bytes are refused')
        check(
          bytes.some((byte) => byte !== 0),
          'the capacity is 0',
        )
      },
      { device: 'blk' },
    ),
    clause: virtio('5.2.4'),
  },
]
