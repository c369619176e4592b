import { expect, it } from 'vitest'
import { parseDpdkVersion, parsePortStats } from './testpmd-output.ts'

const STATS = `testpmd>
  ######################## NIC statistics for port 0  ########################
  RX-packets: 4711       RX-missed: 0          RX-bytes:  282660
  RX-errors: 0
  RX-nombuf:  0
  TX-packets: 17         TX-errors: 0          TX-bytes:  0

  Throughput (since last show)
  Rx-pps:        20123          Rx-bps:      9659040
  Tx-pps:            0          Tx-bps:            0
  ############################################################################
testpmd> `

it('its statistics are read from its own output', () => {
  expect(parsePortStats(STATS)).toEqual({ rxPackets: 4711, txPackets: 17 })
  expect(parsePortStats(STATS.replaceAll('4711', '1') + STATS)?.rxPackets).toBe(4711)
  expect(parsePortStats('testpmd> ')).toBeNull()
})

it('its version is that of the DPDK it was built with', () => {
  expect(parseDpdkVersion("EAL: RTE Version: 'DPDK 22.11.11'\n")).toBe('22.11.11')
  expect(parseDpdkVersion('')).toBe('unknown')
})
