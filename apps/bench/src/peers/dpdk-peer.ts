import { existsSync } from 'node:fs'
import { interfaceIndex, systemErrnoOf } from '@vring/linux'
import type { PeerForward } from '../drivers/testpmd-arguments.ts'
import { TestpmdProcess } from '../drivers/testpmd-process.ts'
import { KernelSink } from '../system/kernel-sink.ts'
import { enterPrivateNetwork } from '../system/private-network.ts'
import { VethPair } from '../system/veth-pair.ts'
import { measureFlow } from './flow-meter.ts'
import type { PeerRequest, PeerTrial } from './peer-protocol.ts'

const START_LIMIT_MS = 20_000
/** The TAP that net_tap makes, in this process' own network namespace. */
const TAP_NAME = 'vring-peer'

/**
 * DPDK's own vhost in the device's place, with its PMD for a TAP or AF_XDP behind it. Frames are counted where those of the
 * device are: by a program in the kernel at the far end, or, where the driver is the end, by its own counters.
 */
export async function measureDpdk(request: PeerRequest, listening: () => void): Promise<PeerTrial> {
  const { spec, socket } = request
  if (spec.backend === 'tap') enterPrivateNetwork()
  const veth = spec.backend === 'af-xdp' ? new VethPair() : null
  const testpmd = new TestpmdProcess({
    binary: request.binary,
    role: 'backend',
    socket,
    cpu: request.cpu,
    queueSize: spec.queueSize,
    frameBytes: spec.frameBytes,
    hugePages: request.hugePages,
    forward: forwardOf(spec.backend),
    interface: veth?.near ?? TAP_NAME,
  })
  let sink: KernelSink | null = null
  try {
    await testpmd.until('socket', START_LIMIT_MS, () => existsSync(socket))
    // Said once, at the beginning.
    const { version } = testpmd
    if (spec.backend === 'tap') {
      await testpmd.until(`interface ${TAP_NAME}`, START_LIMIT_MS, () => exists(TAP_NAME))
      sink = new KernelSink(interfaceIndex(TAP_NAME))
    }
    const counter = sink ?? veth
    const field = spec.backend === 'loopback' ? 'txPackets' : 'rxPackets'
    listening()
    const count = counter === null ? async () => (await testpmd.portStats())[field] : () => counter.arrived
    const flow = await measureFlow(count, request)
    return { ...flow, version }
  } finally {
    await testpmd.stop()
    sink?.close()
    veth?.close()
  }
}

/** What testpmd does with the frames of a cell's backend. */
export function forwardOf(backend: string): PeerForward {
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
