import { hasFeature } from '@vring/layout'
import type { Bench } from '../bench.ts'
import { type Case, check, same, skip } from '../case.ts'
import { virtio } from '../clause.ts'
import {
  BLK_HEADER_BYTES,
  BLK_SECTOR_BYTES,
  VIRTIO_BLK_T_FLUSH,
  VIRTIO_BLK_T_GET_ID,
  VIRTIO_BLK_T_IN,
  VIRTIO_BLK_T_OUT,
} from '../device/blk.ts'
import type { BufferPiece } from '../driver/driver-ring.ts'
import type { Queue } from '../driver/queue.ts'
import type { Session } from '../driver/session.ts'
import { bothFormats, type Format, needsFormat } from './ring-work.ts'

const VIRTIO_BLK_S_IOERR = 1
const VIRTIO_BLK_S_UNSUPP = 2
const VIRTIO_BLK_F_RO = 5
const VIRTIO_BLK_F_FLUSH = 9
/** A type that no device has. */
const NO_TYPE = 0x5a5a

interface BlkRequest {
  readonly type: number
  readonly sector?: number
  /** Sizes of the pieces that the device writes, or reads for VIRTIO_BLK_T_OUT. */
  readonly data: readonly number[]
  /** Sizes that the header is cut into. Default [16]. */
  readonly header?: readonly number[]
}

/** Sends one request; returns its status, the used length, and where its data lies. */
function send(queue: Queue, request: BlkRequest, fill?: Uint8Array) {
  const { memory } = queue.ring
  const header = memory.take(BLK_HEADER_BYTES, 16)
  memory.view.setUint32(header, request.type, true)
  memory.view.setBigUint64(header + 8, BigInt(request.sector ?? 0), true)
  const data = memory.take(Math.max(1, sum(request.data)), 16)
  if (fill !== undefined) memory.bytes.set(fill, data)
  const status = memory.take(1, 16)
  memory.bytes[status] = 0xee
  const writable = request.type !== VIRTIO_BLK_T_OUT
  queue.ring.add([
    ...cut(memory.guest(header), request.header ?? [BLK_HEADER_BYTES], false),
    ...cut(memory.guest(data), request.data, writable),
    { address: memory.guest(status), length: 1, writable: true },
  ])
  queue.ring.publish()
  queue.kick()
  const [used] = queue.used(1)
  return {
    status: memory.bytes[status]!,
    length: used!.length,
    data: memory.bytes.slice(data, data + sum(request.data)),
  }
}

function cut(address: number, sizes: readonly number[], writable: boolean): BufferPiece[] {
  let at = address
  return sizes.map((length) => {
    at += length
    return { address: at - length, length, writable }
  })
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0)
}

function running(bench: Bench, format: Format, features: readonly number[] = []): { session: Session; queue: Queue } {
  const session = bench.open({ packed: format === 'packed', features })
  return { session, queue: session.startDevice({ size: 64 }) }
}

/** What a block device does with requests. Reads sectors 0 and 1; writes sector 0, and writes back what was there. */
export const blk: readonly Case[] = bothFormats((format) => {
  const one = (
    name: string,
    clause: string,
    title: string,
    run: (queue: Queue) => void,
    level: Case['level'] = 'MUST',
    features: readonly number[] = [],
  ): Case => ({
    id: `blk/${format}-${name}`,
    title: `${format}: ${title}`,
    clause: virtio(clause),
    level,
    needs: { ...needsFormat(format, features), device: 'blk' },
    run(bench) {
      if (name === 'write' && hasFeature(bench.offer.features, VIRTIO_BLK_F_RO)) skip('the device is read-only')
      const { session, queue } = running(bench, format, features)
      run(queue)
      session.work(queue)
    },
  })
  const framing = format === 'split' ? '2.7.4' : '2.8.5'
  return [
    one('header-cut', framing, 'a header in two descriptors is understood', (queue) => {
      const { status } = send(queue, { type: VIRTIO_BLK_T_IN, header: [7, 9], data: [BLK_SECTOR_BYTES] })
      same(status, 0, 'the status')
    }),
    one('data-cut', framing, 'data in descriptors of odd sizes is read as one piece', (queue) => {
      const whole = send(queue, { type: VIRTIO_BLK_T_IN, data: [BLK_SECTOR_BYTES] })
      const parts = send(queue, { type: VIRTIO_BLK_T_IN, data: [1, 100, 255, 156] })
      same(parts.status, 0, 'the status')
      same(parts.length, BLK_SECTOR_BYTES + 1, 'the used length')
      same(parts.data.join(), whole.data.join(), 'the data')
    }),
    one('write', '5.2.6.2', 'what is written is what is read then', (queue) => {
      const before = send(queue, { type: VIRTIO_BLK_T_IN, data: [BLK_SECTOR_BYTES] })
      const other = before.data.map((byte) => byte ^ 0x5a)
      for (const data of [other, before.data]) {
        const write = send(queue, { type: VIRTIO_BLK_T_OUT, data: [BLK_SECTOR_BYTES] }, data)
        same(write.status, 0, 'the status of the write')
        same(write.length, 1, 'the used length of a write: its status byte')
        const after = send(queue, { type: VIRTIO_BLK_T_IN, data: [BLK_SECTOR_BYTES] })
        same(after.data.join(), data.join(), 'the data')
      }
    }),
    one(
      'flush',
      '5.2.6.2',
      'a flush succeeds',
      (queue) => same(send(queue, { type: VIRTIO_BLK_T_FLUSH, data: [] }).status, 0, 'the status'),
      'MUST',
      [VIRTIO_BLK_F_FLUSH],
    ),
    one(
      'get-id',
      '5.2.6.2',
      'GET_ID answers 20 bytes, or that it is not supported',
      (queue) => {
        const { status } = send(queue, { type: VIRTIO_BLK_T_GET_ID, data: [20] })
        check(status === 0 || status === VIRTIO_BLK_S_UNSUPP, `the status is ${status}`)
      },
      'SHOULD',
    ),
    one('unknown-type', '5.2.6.2', 'a type that it does not know is answered by VIRTIO_BLK_S_UNSUPP', (queue) => {
      const { status } = send(queue, { type: NO_TYPE, data: [BLK_SECTOR_BYTES] })
      same(status, VIRTIO_BLK_S_UNSUPP, 'the status')
    }),
    one('beyond-end', '5.2.6.2', 'a read beyond the end is answered by VIRTIO_BLK_S_IOERR', (queue) => {
      const { status } = send(queue, { type: VIRTIO_BLK_T_IN, sector: 2 ** 52, data: [BLK_SECTOR_BYTES] })
      same(status, VIRTIO_BLK_S_IOERR, 'the status')
    }),
    one(
      'unaligned',
      '5.2.6.2',
      'a read of no whole sectors does no harm',
      (queue) => {
        const { status } = send(queue, { type: VIRTIO_BLK_T_IN, data: [100] })
        check(status !== 0xee, 'it has no status')
      },
      'robustness',
    ),
    one('many-sectors', '5.2.6.2', 'a read of 64 sectors in one request is served', (queue) => {
      const { status, length } = send(queue, { type: VIRTIO_BLK_T_IN, data: [64 * BLK_SECTOR_BYTES] })
      same(status, 0, 'the status')
      same(length, 64 * BLK_SECTOR_BYTES + 1, 'the used length')
    }),
    one(
      'write-read-only',
      '5.2.6.2',
      'a write to a read-only device is answered by VIRTIO_BLK_S_IOERR',
      (queue) => {
        const { status } = send(queue, { type: VIRTIO_BLK_T_OUT, data: [BLK_SECTOR_BYTES] })
        same(status, VIRTIO_BLK_S_IOERR, 'the status')
      },
      'MUST',
      [VIRTIO_BLK_F_RO],
    ),
  ]
})
