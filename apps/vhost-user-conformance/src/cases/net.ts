import { NET_HDR_MRG_BYTES, NET_HDR_NUM_BUFFERS_OFFSET, VIRTIO_NET_F_MRG_RXBUF } from '@vring/layout'
import type { Bench } from '../bench.ts'
import { type Case, check, same } from '../case.ts'
import { vhostUser, virtio } from '../clause.ts'
import { FRAME_BYTES, writeFrame } from '../device/net.ts'
import { postReceiveBuffers, transmitFrame } from '../device/net-work.ts'
import type { BufferPiece } from '../driver/driver-ring.ts'
import { type Queue, SETTLE_MS } from '../driver/queue.ts'
import type { Session } from '../driver/session.ts'
import { bothFormats, type Format, needsFormat } from './ring-work.ts'

function running(bench: Bench, format: Format): { session: Session; transmit: Queue; receive: Queue } {
  const session = bench.open({ packed: format === 'packed' })
  const transmit = session.startDevice({ size: 64 })
  return { session, transmit, receive: session.queues.get(0)! }
}

/** Frames come back from a device that was busy: waits until it is idle. */
function drained(queue: Queue): void {
  queue.called(SETTLE_MS)
}

function cut(session: Session, sizes: readonly number[]): BufferPiece[] {
  let at = writeFrame(session.memory)
  const end = at + NET_HDR_MRG_BYTES + FRAME_BYTES
  const pieces: BufferPiece[] = []
  for (const size of sizes) {
    pieces.push({ address: session.memory.guest(at), length: size, writable: false })
    at += size
  }
  if (at < end) pieces.push({ address: session.memory.guest(at), length: end - at, writable: false })
  return pieces
}

const FRAMINGS: readonly { name: string; title: string; sizes: readonly number[] }[] = [
  { name: 'header-alone', title: 'the header in a descriptor of its own', sizes: [NET_HDR_MRG_BYTES] },
  { name: 'header-cut', title: 'the header in two descriptors', sizes: [5] },
  { name: 'header-in-bytes', title: 'the header in descriptors of one byte', sizes: new Array(12).fill(1) },
  { name: 'frame-cut', title: 'the frame in many descriptors', sizes: [NET_HDR_MRG_BYTES, 1, 7, 13, 20, 3] },
]

/** What a network device does with frames. */
export const net: readonly Case[] = bothFormats((format) => {
  const needs = { ...needsFormat(format), device: 'net' as const }
  const prefix = `net/${format}`
  return [
    ...FRAMINGS.map(
      ({ name, title, sizes }): Case => ({
        id: `${prefix}-${name}`,
        title: `${format}: a frame is transmitted with ${title}`,
        clause: virtio(format === 'split' ? '2.7.4' : '2.8.5'),
        level: 'MUST',
        needs,
        run(bench) {
          const { session, transmit, receive } = running(bench, format)
          if (bench.offer.echo) postReceiveBuffers(receive, 8)
          transmit.ring.add(cut(session, sizes))
          transmit.ring.publish()
          transmit.kick()
          const [used] = transmit.used(1)
          same(used!.length, 0, 'the used length of a transmitted frame')
          if (bench.offer.echo)
            same(receive.used(1)[0]!.length, NET_HDR_MRG_BYTES + FRAME_BYTES, 'the length that comes back')
        },
      }),
    ),
    {
      id: `${prefix}-receive`,
      title: `${format}: a frame that comes back is the one that was transmitted`,
      clause: virtio('5.1.6.4'),
      level: 'MUST',
      needs: { ...needs, echo: true },
      run(bench) {
        const { session, transmit, receive } = running(bench, format)
        const places = postReceiveBuffers(receive, 16)
        for (let seed = 0; seed < 10; seed++) {
          const frame = transmitFrame(session, transmit, seed)
          const [used] = receive.used(1)
          const at = places.get(used!.id)! + NET_HDR_MRG_BYTES
          same(used!.length, NET_HDR_MRG_BYTES + FRAME_BYTES, 'the used length')
          same(session.memory.bytes.slice(at, at + FRAME_BYTES).join(), frame.join(), 'the frame')
        }
      },
    },
    {
      id: `${prefix}-num-buffers`,
      title: `${format}: num_buffers of a received frame is 1 where one buffer was enough`,
      clause: virtio('5.1.6.4'),
      level: 'MUST',
      needs: { ...needs, echo: true },
      run(bench) {
        const { session, transmit, receive } = running(bench, format)
        const places = postReceiveBuffers(receive, 4)
        transmitFrame(session, transmit)
        const at = places.get(receive.used(1)[0]!.id)!
        same(session.memory.view.getUint16(at + NET_HDR_NUM_BUFFERS_OFFSET, true), 1, 'num_buffers')
      },
    },
    {
      id: `${prefix}-merged`,
      title: `${format}: MRG_RXBUF: a frame that needs several buffers gets them, and num_buffers says how many`,
      clause: virtio('5.1.6.4'),
      level: 'MUST',
      needs: { ...needs, features: [...(needs.features ?? []), VIRTIO_NET_F_MRG_RXBUF], echo: true },
      run(bench) {
        const { session, transmit, receive } = running(bench, format)
        const places = postReceiveBuffers(receive, 8, 32)
        const frame = transmitFrame(session, transmit)
        const first = receive.used(1)
        const count = session.memory.view.getUint16(places.get(first[0]!.id)! + NET_HDR_NUM_BUFFERS_OFFSET, true)
        same(count, 3, 'num_buffers of 72 bytes in buffers of 32')
        const used = [...first, ...(first.length < 3 ? receive.used(3 - first.length) : [])]
        const bytes = used.flatMap(({ id, length }) => [
          ...session.memory.bytes.slice(places.get(id)!, places.get(id)! + length),
        ])
        same(bytes.slice(NET_HDR_MRG_BYTES).join(), frame.join(), 'the frame')
      },
    },
    {
      id: `${prefix}-receive-disabled`,
      title: `${format}: a disabled receive ring gets no frame`,
      clause: vhostUser('Ring states'),
      level: 'MUST',
      needs: { ...needs, echo: true },
      run(bench) {
        const { session, transmit, receive } = running(bench, format)
        receive.enable(false)
        postReceiveBuffers(receive, 4)
        transmitFrame(session, transmit)
        receive.staysUnused('the ring is disabled')
        receive.enable(true)
        receive.kick()
        for (let tries = 0; tries < 20 && receive.ring.inFlight === 4; tries++) {
          transmitFrame(session, transmit, tries)
          if (receive.called(100)) receive.used(1)
        }
        check(receive.ring.inFlight < 4, 'no frame comes after it was enabled again')
      },
    },
    {
      id: `${prefix}-no-buffers`,
      title: `${format}: frames that find no receive buffer are dropped or wait, and the device goes on`,
      clause: virtio('5.1.6.4'),
      level: 'SHOULD',
      needs: { ...needs, echo: true },
      run(bench) {
        const { session, transmit, receive } = running(bench, format)
        for (let seed = 0; seed < 40; seed++) transmitFrame(session, transmit, seed)
        drained(transmit)
        postReceiveBuffers(receive, 32)
        transmitFrame(session, transmit)
        receive.used(1)
      },
    },
  ]
})
