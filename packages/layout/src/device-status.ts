/** Bits of the device status field, in the order in which a driver sets them. Source: VirtIO 1.3 sections 2.1 and 3.1.1. */
export const VIRTIO_STATUS_ACKNOWLEDGE = 1
export const VIRTIO_STATUS_DRIVER = 2
export const VIRTIO_STATUS_FEATURES_OK = 8
export const VIRTIO_STATUS_DRIVER_OK = 4
export const VIRTIO_STATUS_DEVICE_NEEDS_RESET = 64
export const VIRTIO_STATUS_FAILED = 128

const NAMES: readonly (readonly [bit: number, name: string])[] = [
  [VIRTIO_STATUS_ACKNOWLEDGE, 'ACKNOWLEDGE'],
  [VIRTIO_STATUS_DRIVER, 'DRIVER'],
  [VIRTIO_STATUS_FEATURES_OK, 'FEATURES_OK'],
  [VIRTIO_STATUS_DRIVER_OK, 'DRIVER_OK'],
  [VIRTIO_STATUS_DEVICE_NEEDS_RESET, 'DEVICE_NEEDS_RESET'],
  [VIRTIO_STATUS_FAILED, 'FAILED'],
]

/** A device status as people read it: `ACKNOWLEDGE DRIVER`; `reset` for 0. */
export function deviceStatusNames(status: number): string {
  if (status === 0) return 'reset'
  const known = NAMES.filter(([bit]) => (status & bit) !== 0)
  const rest = status & ~known.reduce((bits, [bit]) => bits | bit, 0)
  return [...known.map(([, name]) => name), ...(rest === 0 ? [] : [`0x${rest.toString(16)}`])].join(' ')
}
