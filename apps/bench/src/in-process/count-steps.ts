import { CountingCpu, type Steps } from '@vring/accessor'
import type { Registry } from '@vring/registry'
import { type CellSpec, chainCount } from '../cell/cell-spec.ts'
import { InprocRig } from '../drivers/inproc.ts'

/** What the datapath did for one packet, counted under {@link CountingCpu}. */
export interface PacketSteps {
  /** Of metadata: what the accessor and the ring did. */
  readonly metadata: Record<string, number>
  /** Of payload: what copying it to the backend took. Empty in place. */
  readonly payload: Record<string, number>
  /** Metadata accesses, one per window call. */
  readonly accesses: number
}

/** Packets between two publications of a driver that is always ahead: a whole budget of the device's round. */
const BURST = 256
const PACKETS = 32 * BURST

/**
 * Counts by running the real datapath: the accessor, queue and round that are timed, under a port that counts. The driver
 * is always ahead, so a round is four full batches, as under load. SMAP is on: an access outside stac and clac is found.
 *
 * @param nospec `none` counts the ring of 2019, which does not mask what the driver gives as an index
 */
export function countSteps(
  spec: CellSpec,
  registry: Registry,
  seed: number,
  nospec: 'mask' | 'none' = 'mask',
): PacketSteps {
  const cpu = new CountingCpu()
  const payloadCpu = new CountingCpu()
  const burst = { ...spec, batch: Math.min(BURST, chainCount(spec)), invalidations: 0 }
  const smap = {
    get ac(): boolean {
      return cpu.ac || payloadCpu.ac
    },
  }
  const rig = new InprocRig(burst, registry, { seed, cpu, payloadCpu, smap, nospec })
  try {
    rig.run(BURST)
    cpu.reset()
    payloadCpu.reset()
    const before = rig.accessCount()
    rig.run(PACKETS)
    return {
      metadata: perPacket(cpu.steps),
      payload: perPacket(payloadCpu.steps),
      accesses: (rig.accessCount() - before) / PACKETS,
    }
  } finally {
    rig.close()
  }
}

function perPacket(steps: Steps): Record<string, number> {
  return Object.fromEntries(
    Object.entries(steps)
      .filter(([, count]) => count !== 0)
      .map(([name, count]) => [name, count / PACKETS]),
  )
}
