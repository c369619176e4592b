import { featureSet, VIRTIO_F_IN_ORDER, VIRTIO_F_VERSION_1, VIRTIO_NET_F_MRG_RXBUF } from '@vring/layout'
import { expect, it } from 'vitest'
import { negotiatedNames } from './negotiated.ts'

it('negotiated features have their names, in the order of their bits, and a bit without one its number', () => {
  expect(negotiatedNames(0n)).toEqual([])
  expect(negotiatedNames(featureSet(VIRTIO_F_IN_ORDER, VIRTIO_NET_F_MRG_RXBUF, VIRTIO_F_VERSION_1, 49))).toEqual([
    'MRG_RXBUF',
    'VERSION_1',
    'IN_ORDER',
    'bit 49',
  ])
  expect(negotiatedNames(0x1_5000_0000n)).toEqual(['INDIRECT_DESC', 'PROTOCOL_FEATURES', 'VERSION_1'])
})
