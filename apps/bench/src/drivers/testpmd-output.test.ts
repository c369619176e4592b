import { expect, it } from 'vitest'
import { parsePortStats } from './dpdk-telemetry.ts'
import { parseDpdkVersion, parseNegotiated } from './testpmd-output.ts'

it('its statistics are read from its telemetry, and another answer is shown', () => {
  expect(parsePortStats('{"/ethdev/stats":{"ipackets":4711,"opackets":17,"ibytes":282660}}')).toEqual({
    received: 4711,
    sent: 17,
  })
  expect(() => parsePortStats('{"/ethdev/stats":null}')).toThrow(
    'not of the form that is known: {"/ethdev/stats":null}',
  )
})

it('its version is that of the DPDK it was built with', () => {
  expect(parseDpdkVersion("EAL: RTE Version: 'DPDK 22.11.11'\n")).toBe('22.11.11')
  expect(parseDpdkVersion('')).toBe('unknown')
})

it('the features that it negotiated are those that it said last', () => {
  const said =
    'VHOST_CONFIG: (s) negotiated Virtio features: 0x100000000\nVHOST_CONFIG: (s) negotiated Virtio features: 0x150000000\n'
  expect(parseNegotiated(said)).toEqual(['INDIRECT_DESC', 'PROTOCOL_FEATURES', 'VERSION_1'])
  expect(parseNegotiated('')).toBeNull()
})
