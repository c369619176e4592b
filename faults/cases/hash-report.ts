import assert from 'node:assert/strict'
import { featureSet, hasFeature, NET_HDR_MRG_BYTES, netHeaderBytes, VIRTIO_NET_F_HASH_REPORT } from '@vring/layout'
import { NET_DEVICE_FEATURES } from '@vring/vhost-user-net'
import type { Fault } from '../fault.ts'

const HEADER = 'packages/layout/src/net-header.ts'

export const fault: Fault = {
  id: 'CVE-2023-6693',
  system: 'QEMU virtio-net',
  fault: 'a header with a hash report is longer than the place that it is copied to',
  here: HEADER,
  holds: 'no header is longer than the place that rounds have for it, whatever the features are',
  notHere: 'HASH_REPORT is not on offer, and no set of features makes a header longer than 12 bytes',
  explored: 'features are negotiated before a ring starts',
  mutants: [
    {
      change: 'the device offers HASH_REPORT, and headers have the length of one',
      file: HEADER,
      from: 'return hasFeature(features, VIRTIO_F_VERSION_1)',
      to: 'return hasFeature(features, 57) ? 20 : hasFeature(features, VIRTIO_F_VERSION_1)',
    },
  ],
  run() {
    assert.equal(hasFeature(NET_DEVICE_FEATURES, VIRTIO_NET_F_HASH_REPORT), false)
    for (let bit = 0; bit < 64; bit++) assert.ok(netHeaderBytes(featureSet(bit)) <= NET_HDR_MRG_BYTES, `bit ${bit}`)
    assert.ok(netHeaderBytes(2n ** 64n - 1n) <= NET_HDR_MRG_BYTES)
  },
}
