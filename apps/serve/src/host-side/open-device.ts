import { ReplayClock } from '@vring/backend-pcap'
import { formatBackend } from '../config/backend-spec.ts'
import type { ServeConfig } from '../config/serve-config.ts'
import type { DatapathSpec } from '../datapath/datapath-spec.ts'
import { type ProgramSpec, readObjectSpec } from '../programs/program-spec.ts'
import { startError } from '../serve-error.ts'
import { openAfXdp } from './af-xdp.ts'
import type { Device } from './device.ts'
import { openTap } from './tap.ts'

/**
 * Opens what `--backend` and `--xdp` ask for. Nothing stays open when it fails.
 *
 * @throws ServeError naming the argument
 */
export function openDevice(config: ServeConfig): Device {
  const { backend, xdp } = config
  try {
    switch (backend.kind) {
      case 'drop':
        return inProcess({ kind: 'drop', program: xdp === null ? null : programSpec(xdp) })
      case 'loopback':
        return inProcess({ kind: 'loopback' })
      case 'pcap':
      case 'plugin':
        return inProcess(backend)
      case 'replay':
        return inProcess({ ...backend, replay: config.replay, clock: new ReplayClock().cells })
      case 'tap':
        return openTap({ name: backend.name, queuePairs: config.queuePairs, xdp, mtu: config.mtu })
      case 'af-xdp':
        return openAfXdp(backend.interface, backend.queue, config.queuePairs, config.fixOffloads)
    }
  } catch (error) {
    throw startError(`--backend ${formatBackend(backend)}`, error)
  }
}

function inProcess(datapath: DatapathSpec): Device {
  return { datapath, features: 0n, notes: [], link: null, kernelCounts: () => null, close: () => {} }
}

function programSpec(xdp: string): ProgramSpec {
  return xdp === 'xdp1' ? { kind: 'xdp1' } : readObjectSpec(xdp)
}
