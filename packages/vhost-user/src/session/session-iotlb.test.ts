import { featureSet, VHOST_USER_F_PROTOCOL_FEATURES, VIRTIO_F_ACCESS_PLATFORM } from '@vring/layout'
import { ACCESS_READ } from '@vring/memory'
import { describe, expect, test } from 'vitest'
import { RecyclingDevice } from '../../test/recycling-device.ts'
import { SessionPair, USUAL_FEATURES } from '../../test/session-pair.ts'
import { HEADER_BYTES } from '../messages/header.ts'
import { IOTLB_INVALIDATE, IOTLB_UPDATE, type IotlbPayload, iotlb } from '../messages/payload.ts'
import { PROTOCOL_F_BACKEND_REQ } from '../messages/protocol-features.ts'

describe('the session of a backend', () => {
  test('an IOTLB message needs ACCESS_PLATFORM', () => {
    const pair = new SessionPair().negotiate()
    const message = { iova: 0, size: 4096, userAddress: 0, permission: 3, type: IOTLB_UPDATE }
    expect(pair.send('IOTLB_MSG', message, [], true)).toEqual(['IOTLB_MSG reply ack=1'])
  })

  test('the device IOTLB takes updates and asks the frontend for what it misses', () => {
    const device = new RecyclingDevice()
    device.features |= featureSet(VIRTIO_F_ACCESS_PLATFORM)
    const pair = new SessionPair(device)
    pair.send('SET_PROTOCOL_FEATURES', featureSet(...USUAL_FEATURES, PROTOCOL_F_BACKEND_REQ))
    pair.send('SET_FEATURES', device.features | featureSet(VHOST_USER_F_PROTOCOL_FEATURES))
    pair.start(0)
    const { iotlb } = device.rings.get(0)!.vring
    iotlb!.miss(0x5000, ACCESS_READ)
    expect(pair.host.sent).toHaveLength(0)
    // A question without a channel is asked as soon as there is one, and again when it is another.
    for (const asked of [1, 2]) {
      pair.send('SET_BACKEND_REQ_FD', null, [pair.host.file('socket')])
      expect(pair.host.sent).toHaveLength(asked)
      expect(decodeIotlb(pair.host.sent[asked - 1]!)).toMatchObject({ iova: 0x5000, permission: 1, type: 1 })
    }
    iotlb!.miss(0x7000, ACCESS_READ)
    expect(decodeIotlb(pair.host.sent[2]!)).toMatchObject({ iova: 0x7000 })
    const entry = { iova: 0x5000, size: 4096, userAddress: 2 ** 40, permission: 3 }
    pair.send('IOTLB_MSG', { ...entry, type: IOTLB_UPDATE })
    expect(iotlb!.lookup(0x5fff)).toMatchObject({ uaddr: 2 ** 40 })
    pair.send('IOTLB_MSG', { ...entry, type: IOTLB_INVALIDATE })
    expect(iotlb!.lookup(0x5fff)).toBeNull()
    expect(pair.send('IOTLB_MSG', { ...entry, size: 0, type: IOTLB_UPDATE }, [], true)).toEqual([
      'IOTLB_MSG reply ack=1',
    ])
    expect(pair.send('IOTLB_MSG', { ...entry, type: 1 }, [], true)).toEqual(['IOTLB_MSG reply ack=1'])
    pair.session.close()
    expect(pair.leaks()).toEqual([])
  })
})

/** An IOTLB message after its header. */
function decodeIotlb(bytes: Uint8Array): IotlbPayload {
  return iotlb.decode(new DataView(bytes.buffer, HEADER_BYTES))
}
