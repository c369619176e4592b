// A learning switch between guests, in one thread with one poll:
//   npx tsx --conditions=@vring/source examples/devices/learning-switch.ts /run/a.sock /run/b.sock
import { fileURLToPath } from 'node:url'
import { vmapDirect } from '@vring/accessor-vmap-direct'
import { FrameBatch, LoopbackBackend, type NetBackend, type NetBackendCounters } from '@vring/vhost-net'
import { VhostUserWorker } from '@vring/vhost-user'
import { NetDevice } from '@vring/vhost-user-net'

/** Stations that are remembered; the oldest is forgotten first. */
const STATIONS_MAX = 1024

/** A port: what its guest sends goes to the ports that it is for, whose inboxes their guests receive from. */
class Port implements NetBackend {
  readonly name = 'switch port'
  /** Frames for this port's guest; bounded, and copied into. */
  readonly inbox = new LoopbackBackend()
  private readonly one = new FrameBatch(12)
  private readonly network: LearningSwitch

  constructor(network: LearningSwitch) {
    this.network = network
  }

  transmit(frames: FrameBatch): number {
    const { one } = this
    one.headerBytes = frames.headerBytes
    one.view = frames.view
    one.count = 1
    for (let i = 0; i < frames.count; i++) {
      one.offset[0] = frames.offset[i]!
      one.length[0] = frames.length[i]!
      // Twelve bytes of addresses, read once: in place, the guest may change them meanwhile.
      const at = one.offset[0] + frames.headerBytes
      if (one.length[0] - frames.headerBytes < 14) continue
      const addresses = frames.view.u8.slice(at, at + 12)
      for (const port of this.network.route(this, addresses)) port.inbox.transmit(one)
    }
    return frames.count
  }

  flush(): void {}

  close(): void {}

  get counters(): NetBackendCounters {
    return this.inbox.counters
  }
}

export class LearningSwitch {
  private readonly ports: Port[] = []
  private readonly stations = new Map<string, Port>()

  /** A network device on a new port. */
  addDevice(): NetDevice {
    const port = new Port(this)
    this.ports.push(port)
    return new NetDevice({ accessor: vmapDirect, backend: () => port, source: () => port.inbox })
  }

  /**
   * Learns the sender; where the frame goes: to the station's port, or to all others. @param addresses destination,
   * source
   */
  route(from: Port, addresses: Uint8Array): readonly Port[] {
    const [destination, source] = [addresses.subarray(0, 6).join(), addresses.subarray(6).join()]
    this.stations.delete(source)
    this.stations.set(source, from)
    if (this.stations.size > STATIONS_MAX) this.stations.delete(this.stations.keys().next().value!)
    const known = (addresses[0]! & 1) === 0 ? this.stations.get(destination) : undefined
    return known === undefined ? this.ports.filter((port) => port !== from) : known === from ? [] : [known]
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const paths = process.argv.slice(2)
  if (paths.length === 0) throw new Error('usage: learning-switch.ts SOCKET...')
  const network = new LearningSwitch()
  const worker = new VhostUserWorker()
  for (const path of paths) worker.serve({ path, role: 'server', device: network.addDevice() })
  worker.run()
}
