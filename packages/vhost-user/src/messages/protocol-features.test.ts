import { expect, test } from 'vitest'
import * as features from './protocol-features.ts'

test('every protocol feature bit of the specification has its name, and the others their number', () => {
  for (const [name, bit] of Object.entries(features))
    if (/^PROTOCOL_F_/.test(name) && typeof bit === 'number')
      expect(features.protocolFeatureName(bit)).toBe(`${name.slice('PROTOCOL_F_'.length)} (${bit})`)
  expect(features.protocolFeatureName(24)).toBe('bit 24')
  expect(features.protocolFeatureNames((1n << 63n) | (1n << 23n) | 1n)).toBe(
    'MQ (0), GET_VRING_BASE_SKIP_DRAIN (23), bit 63',
  )
  expect(features.protocolFeatureNames(0n)).toBe('none')
})
