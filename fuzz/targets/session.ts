import { featureSet, VHOST_USER_F_PROTOCOL_FEATURES, VIRTIO_F_ACCESS_PLATFORM, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { encodeMessage, HEADER_BYTES, MESSAGES, type RequestName, type RequestPayload } from '@vring/vhost-user'
import type { FakeFile } from '../../packages/vhost-user/test/counting-host.ts'
import { RecyclingDevice } from '../../packages/vhost-user/test/recycling-device.ts'
import { region, SessionPair } from '../../packages/vhost-user/test/session-pair.ts'
import { expectThat, type FuzzTarget } from '../engine/target.ts'

const FILES: readonly FakeFile[] = ['event', 'memory', 'socket', 'junk']
/** A byte of the input before each message: how many descriptors come along, of which kind, and a round of the rings. */
const FDS_MASK = 3
const KIND_SHIFT = 2
const ROUND_BIT = 0x10
const SPLIT_BIT = 0x20

/** A device that also offers a device IOTLB, so that messages about it are not refused at once. */
class OfferingDevice extends RecyclingDevice {
  override features: bigint = featureSet(VIRTIO_F_VERSION_1, VIRTIO_F_ACCESS_PLATFORM)

  /** Rings at IOVAs are not its kind: it looks at them no further. */
  override serveQueue(index: number): number {
    return this.rings.get(index)!.vring.iotlb === null ? super.serveQueue(index) : 0
  }
}

function script(...messages: readonly (readonly [control: number, bytes: Uint8Array])[]): Uint8Array {
  return Uint8Array.from(messages.flatMap(([control, bytes]) => [control, ...bytes]))
}

function message<Name extends RequestName>(name: Name, payload: RequestPayload<Name>): Uint8Array {
  const spec = MESSAGES[name] as unknown as { id: number; request: { encode(value: unknown): Uint8Array } }
  return encodeMessage(spec.id, 8, spec.request.encode(payload))
}

const at = 2 ** 40
const started = script(
  [0, message('GET_PROTOCOL_FEATURES', null)],
  [0, message('SET_PROTOCOL_FEATURES', (1n << 20n) - 1n)],
  [0, message('SET_FEATURES', featureSet(VIRTIO_F_VERSION_1, VHOST_USER_F_PROTOCOL_FEATURES))],
  [1 | (1 << KIND_SHIFT), message('SET_MEM_TABLE', [region()])],
  [0, message('SET_VRING_NUM', { index: 0, num: 16 })],
  [0, message('SET_VRING_BASE', { index: 0, num: 0 })],
  [0, message('SET_VRING_ADDR', { index: 0, flags: 0, desc: at, avail: at + 0x1000, used: at + 0x2000, log: 0 })],
  [1, message('SET_VRING_KICK', { index: 0, hasFd: true })],
  [ROUND_BIT, message('SET_VRING_ENABLE', { index: 0, num: 1 })],
  [0, message('GET_VRING_BASE', { index: 0, num: 0 })],
)

export const target: FuzzTarget = {
  name: 'session',
  description:
    'messages with descriptors, whole and in pieces: the session never throws, and in the end nothing is left open or mapped',
  unit: 'messages',
  maxBytes: 4096,
  seeds: [
    started,
    ...Object.values(MESSAGES).map(({ id, request }) =>
      script([1, encodeMessage(id, 8, new Uint8Array(request.bytes[0]))]),
    ),
  ],
  run(input) {
    const device = new OfferingDevice()
    const pair = new SessionPair(device)
    let messages = 0
    for (let next = 0; next + 1 + HEADER_BYTES <= input.length && !pair.session.closed; messages++) {
      const control = input[next]!
      const size = new DataView(input.buffer, input.byteOffset).getUint32(next + 9, true)
      const end = Math.min(input.length, next + 1 + HEADER_BYTES + Math.min(size, 4096))
      const bytes = input.slice(next + 1, end)
      const kind = FILES[(control >> KIND_SHIFT) & 3]!
      const fds = Array.from({ length: control & FDS_MASK }, () => pair.host.file(kind))
      if ((control & SPLIT_BIT) === 0) pair.raw(bytes, fds)
      else {
        const half = bytes.length >> 1
        pair.raw(bytes.slice(0, half), fds)
        pair.raw(bytes.slice(half))
      }
      if ((control & ROUND_BIT) !== 0) for (const index of pair.session.activeQueues) device.serveQueue(index)
      next = end
    }
    pair.session.close()
    expectThat(pair.session.activeQueues.length === 0, 'a ring runs in a session that is over')
    const left = pair.leaks()
    expectThat(left.length === 0, `left: ${left.join(', ')}`)
    return Math.max(1, messages)
  },
}
