import { featureSet, VHOST_USER_F_PROTOCOL_FEATURES, VIRTIO_F_ACCESS_PLATFORM, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { PROTOCOL_F_CONFIGURE_MEM_SLOTS, PROTOCOL_F_INFLIGHT_SHMFD } from '@vring/vhost-user'
import { RecyclingDevice } from '../../packages/vhost-user/test/recycling-device.ts'
import { region, SessionPair } from '../../packages/vhost-user/test/session-pair.ts'

const PAGE_BYTES = 4096
const UPDATE = 2
const INVALIDATE = 3

/** A session whose tables are as full as its frontend can make them. */
export class WorstMessages {
  readonly pair: SessionPair

  constructor() {
    const device = new RecyclingDevice()
    const features = featureSet(VIRTIO_F_VERSION_1, VIRTIO_F_ACCESS_PLATFORM)
    device.features = features
    Object.assign(device, { tracksInflight: true })
    this.pair = new SessionPair(device)
    this.pair.send('SET_PROTOCOL_FEATURES', featureSet(PROTOCOL_F_CONFIGURE_MEM_SLOTS, PROTOCOL_F_INFLIGHT_SHMFD))
    this.pair.send('SET_FEATURES', features | featureSet(VHOST_USER_F_PROTOCOL_FEATURES))
  }

  addSlots(from: number, to: number): void {
    for (let slot = from; slot < to; slot++)
      this.pair.send('ADD_MEM_REG', region(slot * 4 * PAGE_BYTES, PAGE_BYTES), [this.pair.host.file('memory')])
  }

  translate(type: typeof UPDATE | typeof INVALIDATE, iova: number, size: number): void {
    this.pair.send('IOTLB_MSG', { iova, size, userAddress: 0, permission: 3, type })
  }

  /** Every question open that may be, and a table that is full. */
  fillIotlb(): void {
    const { iotlb } = this.pair.session
    for (let i = 0; i < iotlb.limit; i++) iotlb.update(2 ** 40 + 2 * PAGE_BYTES * i, PAGE_BYTES, 0, 3)
    for (let i = 0; i < 4096; i++) iotlb.miss(2 ** 30 + PAGE_BYTES * i, 1)
  }

  close(): void {
    this.pair.session.close()
  }
}

export interface MessageCase {
  readonly what: string
  readonly before?: (worst: WorstMessages) => void
  readonly run: (worst: WorstMessages) => void
}

export const MESSAGE_CASES: readonly MessageCase[] = [
  { what: 'the last slot of memory', before: (w) => w.addSlots(0, 508), run: (w) => w.addSlots(508, 509) },
  {
    what: 'a table of memory in place of another',
    before: (w) => w.addSlots(0, 509),
    run: (w) =>
      w.pair.send(
        'SET_MEM_TABLE',
        Array.from({ length: 8 }, (_, i) => region(2 ** 20 * i)),
        Array.from({ length: 8 }, () => w.pair.host.file('memory')),
      ),
  },
  { what: 'a translation too many', before: (w) => w.fillIotlb(), run: (w) => w.translate(UPDATE, 0, PAGE_BYTES) },
  {
    what: 'a translation that answers every question',
    before: (w) => w.fillIotlb(),
    run: (w) => w.translate(UPDATE, 0, 2 ** 40),
  },
  { what: 'no translation is left', before: (w) => w.fillIotlb(), run: (w) => w.translate(INVALIDATE, 0, 2 ** 50) },
  {
    what: 'an area for requests in flight',
    run: (w) => w.pair.send('GET_INFLIGHT_FD', { size: 0, offset: 0, queueCount: 2, queueSize: 32_768 }),
  },
]
