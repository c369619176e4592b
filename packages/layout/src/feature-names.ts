import { VIRTIO_ID_BLOCK, VIRTIO_ID_NET } from './device-id.ts'
import * as bits from './feature-bits.ts'

const entries = Object.entries(bits).flatMap(([name, bit]): [string, number][] =>
  typeof bit === 'number' && /^(VIRTIO|VHOST)_/.test(name) ? [[name, bit]] : [],
)

/** Bits below 24 and from 50 up belong to the device type (VirtIO 1.3 section 2.2). */
const prefixes = new Map([
  [VIRTIO_ID_NET, 'VIRTIO_NET_F_'],
  [VIRTIO_ID_BLOCK, 'VIRTIO_BLK_F_'],
])
const TYPE_PREFIX = /^VIRTIO_(NET|BLK)_F_/

function nameOf(bit: number, deviceId: number | undefined): string | undefined {
  const prefix = deviceId === undefined ? undefined : prefixes.get(deviceId)
  return entries.find(
    ([name, value]) =>
      value === bit && (TYPE_PREFIX.test(name) ? prefix !== undefined && name.startsWith(prefix) : true),
  )?.[0]
}

/**
 * The features of a set as people read them: `VIRTIO_F_VERSION_1 (32), VIRTIO_NET_F_MQ (22)`; `bit 49` for those that
 * have no name; `none`.
 *
 * @param deviceId which device's names the bits of a device type have, {@link VIRTIO_ID_NET} for instance
 */
export function featureNames(features: bigint, deviceId?: number): string {
  const names: string[] = []
  for (let bit = 0; bit < bits.FEATURE_BITS; bit++) {
    if (!bits.hasFeature(features, bit)) continue
    const name = nameOf(bit, deviceId)
    names.push(name === undefined ? `bit ${bit}` : `${name} (${bit})`)
  }
  return names.length === 0 ? 'none' : names.join(', ')
}
