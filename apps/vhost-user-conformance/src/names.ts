import * as layout from '@vring/layout'
import * as vhostUser from '@vring/vhost-user'
import type { DeviceName } from './device/profile.ts'

/**
 * A virtio feature as the standard calls it: `VIRTIO_F_RING_PACKED (34)`. Bits of other device types than net have a
 * number only.
 */
export function featureName(bit: number, device: DeviceName | null): string {
  const pattern =
    device === 'net' ? /^(VIRTIO_F|VHOST_F|VHOST_USER_F|VIRTIO_NET_F)_/ : /^(VIRTIO_F|VHOST_F|VHOST_USER_F)_/
  const name = Object.entries(layout).find(([key, value]) => pattern.test(key) && value === bit)?.[0]
  return name === undefined ? `feature ${bit}` : `${name} (${bit})`
}

/** A protocol feature as the vhost-user document calls it, without its prefix: `REPLY_ACK (3)`. */
export function protocolFeatureName(bit: number): string {
  const name = Object.entries(vhostUser).find(([key, value]) => key.startsWith('PROTOCOL_F_') && value === bit)?.[0]
  return name === undefined ? String(bit) : `${name.slice('PROTOCOL_F_'.length)} (${bit})`
}
