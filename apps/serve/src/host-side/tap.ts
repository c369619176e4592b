import { LinuxTap } from '@vring/backend-tap/linux'
import { tapFeatures } from '../datapath/tap-offloads.ts'
import { KernelProgram } from '../programs/kernel-program.ts'
import { readObjectSpec } from '../programs/program-spec.ts'
import { startError } from '../serve-error.ts'
import type { Device } from './device.ts'

export interface ServedTapOptions {
  readonly name: string
  readonly queuePairs: number
  /** `xdp1`, an object file with or without `:PROGRAM`, or null. */
  readonly xdp: string | null
  /** Bytes; null: as it is. */
  readonly mtu: number | null
}

/**
 * Makes or takes over a TAP of this name, brings it up, and puts the program on it. What it made goes with it.
 *
 * @throws VringError ERR_SYSTEM for the TAP; ServeError naming --xdp for the program
 */
export function openTap({ name, queuePairs, xdp, mtu }: ServedTapOptions): Device {
  const tap = LinuxTap.open({ name, queues: queuePairs, ...(mtu === null ? {} : { mtu }) })
  try {
    const attached = xdp === null ? null : attach(tap, xdp)
    return {
      // Drivers may take segments; each session tells the TAP what its own does.
      datapath: {
        kind: 'tap',
        queues: tap.queues.map((queue) => ({ ...queue, segmentation: true })),
        receiving: new Int32Array(new SharedArrayBuffer(4)),
      },
      features: tapFeatures(tap.queues[0]!.fd),
      notes: attached === null ? [] : [`${xdp} runs on ${tap.name} in ${attached.mode} mode`],
      link: {
        ...{ ifindex: tap.ifindex, name: tap.name, followMtu: (mtu) => tap.followMtu(mtu) },
        whenMoved: 'its frames go on; its state and MTU are no longer followed',
        program:
          attached === null
            ? null
            : { id: attached.program.program.id, whenOff: 'frames of drivers go past it, into the network stack' },
      },
      kernelCounts: () => attached?.program.counts() ?? null,
      close: () => {
        tap.close()
        attached?.program.close()
      },
    }
  } catch (error) {
    tap.close()
    throw error
  }
}

interface Attached {
  readonly program: KernelProgram
  readonly mode: string
}

function attach(tap: LinuxTap, xdp: string): Attached {
  try {
    const program = new KernelProgram(readObjectSpec(xdp))
    try {
      return { program, mode: tap.attachXdp(program.program) }
    } catch (error) {
      program.close()
      throw error
    }
  } catch (error) {
    throw startError(`--xdp ${xdp}`, error)
  }
}
