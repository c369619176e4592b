import { existsSync } from 'node:fs'
import { interfaceIndex, systemErrnoOf } from '@vring/linux'
import { DpdkTelemetry } from '../drivers/dpdk-telemetry.ts'
import { driverOptionsOf, type PeerForward, telemetryPath } from '../drivers/testpmd-arguments.ts'
import { TestpmdProcess } from '../drivers/testpmd-process.ts'
import { KernelSink } from '../system/kernel-sink.ts'
import { enterPrivateNetwork } from '../system/private-network.ts'
import { VethPair } from '../system/veth-pair.ts'
import type { RunningPeer, StartRequest } from './peer-protocol.ts'

const START_LIMIT_MS = 60_000
/** The TAP that net_tap makes, in this process' own network namespace. */
const TAP_NAME = 'vring-peer'

/**
 * DPDK's own vhost in the device's place, with its PMD for a TAP or AF_XDP as the far end. Frames are counted where
 * those of the device are. That is by a program in the kernel at the far end. Where the driver is the end, it is by its
 * own counters.
 */
export async function startDpdk({ spec, socket, binary, cpu, hugePages }: StartRequest): Promise<RunningPeer> {
  if (spec.backend === 'tap') enterPrivateNetwork()
  const veth = spec.backend === 'af-xdp' ? new VethPair() : null
  const testpmd = new TestpmdProcess({
    binary,
    role: 'backend',
    socket,
    cpu,
    queueSize: spec.queueSize,
    frameBytes: spec.frameBytes,
    hugePages,
    forward: forwardOf(spec.backend),
    interface: veth?.near ?? TAP_NAME,
    driver: driverOptionsOf(spec),
  })
  await testpmd.until('socket', START_LIMIT_MS, () => existsSync(socket))
  // Said once, at the beginning.
  const { version } = testpmd
  let sink: KernelSink | null = null
  if (spec.backend === 'tap') {
    await testpmd.until(`interface ${TAP_NAME}`, START_LIMIT_MS, () => exists(TAP_NAME))
    sink = new KernelSink(interfaceIndex(TAP_NAME))
  }
  const arriving = sink ?? veth
  const count = arriving === null ? await portCounter(testpmd, { spec, socket }) : async () => arriving.arrived
  return {
    count: () => testpmd.during(count),
    pause: () => testpmd.pause(),
    resume: () => testpmd.resume(),
    report: () => ({ version, features: testpmd.features }),
  }
}

/** Its own counter: frames that it took, or those that it gave back. */
async function portCounter(
  testpmd: TestpmdProcess,
  { spec, socket }: Pick<StartRequest, 'spec' | 'socket'>,
): Promise<() => Promise<number>> {
  const path = telemetryPath({ role: 'backend', socket })
  await testpmd.until('telemetry', START_LIMIT_MS, () => existsSync(path))
  const telemetry = new DpdkTelemetry(path)
  const field = spec.backend === 'loopback' ? 'sent' : 'received'
  return async () => (await telemetry.portStats(0))[field]
}

/** What testpmd does with the frames of a cell's backend. */
function forwardOf(backend: string): PeerForward {
  return backend === 'loopback' || backend === 'tap' || backend === 'af-xdp' ? backend : 'drop'
}

function exists(name: string): boolean {
  try {
    return interfaceIndex(name) > 0
  } catch (error) {
    if (systemErrnoOf(error) !== 'ENODEV') throw error
    return false
  }
}
