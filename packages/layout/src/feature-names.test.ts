import { describe, expect, test } from 'vitest'
import { VIRTIO_ID_BLOCK, VIRTIO_ID_NET } from './device-id.ts'
import { deviceStatusNames } from './device-status.ts'
import * as bits from './feature-bits.ts'
import { featureNames } from './feature-names.ts'

describe('feature bits', () => {
  test('what is no bit of a feature word is refused', () => {
    for (const bit of [-1, 64, 1.5, Number.NaN]) {
      expect(() => bits.featureSet(bit)).toThrow(`feature bit is ${bit}; accepted: 0 to 63`)
      expect(() => bits.hasFeature(1n, bit)).toThrow('accepted: 0 to 63')
    }
  })

  test('have one name each within a device type', () => {
    for (const type of [/^VIRTIO_NET_F_|^VIRTIO_F_|^VHOST_/, /^VIRTIO_BLK_F_|^VIRTIO_F_|^VHOST_/]) {
      const numbers = Object.entries(bits).flatMap(([name, bit]) => (type.test(name) ? [bit] : []))
      expect(new Set(numbers).size).toBe(numbers.length)
    }
  })

  test('are shown by name, those of a device type by its names', () => {
    expect(featureNames(0n)).toBe('none')
    expect(featureNames(bits.featureSet(9, 32, 49))).toBe('bit 9, VIRTIO_F_VERSION_1 (32), bit 49')
    expect(featureNames(bits.featureSet(9), VIRTIO_ID_NET)).toBe('VIRTIO_NET_F_GUEST_ECN (9)')
    expect(featureNames(bits.featureSet(9), VIRTIO_ID_BLOCK)).toBe('VIRTIO_BLK_F_FLUSH (9)')
  })
})

test('a device status is shown in the order in which a driver sets it', () => {
  expect(deviceStatusNames(0)).toBe('reset')
  expect(deviceStatusNames(15)).toBe('ACKNOWLEDGE DRIVER FEATURES_OK DRIVER_OK')
  expect(deviceStatusNames(0x41 | 0x20)).toBe('ACKNOWLEDGE DEVICE_NEEDS_RESET 0x20')
})
