import {
  AfXdpGroup,
  AfXdpInterface,
  AfXdpSockets,
  BUSY_MS,
  ethtoolLine,
  fixOffloads,
  hasFarPeer,
  unseenOffloads,
} from '@vring/backend-af-xdp'
import { featureSet, VIRTIO_NET_F_CSUM } from '@vring/layout'
import type { Device } from './device.ts'

/**
 * Takes queues of an interface for AF_XDP sockets; its other queues keep their frames in the network stack.
 *
 * @param queue the first of `queuePairs` queues
 * @param fix switch off the offloads that hide something from AF_XDP; else each is a line that says how to
 * @throws VringError ERR_SYSTEM: ENODEV, EBUSY (it has an XDP program, or a queue a socket), EPERM; ERR_OUT_OF_RANGE for the queue
 */
export function openAfXdp(name: string, queue: number, queuePairs: number, fix: boolean): Device {
  const waited: string[] = []
  const onBusy = (): void => void waited.push(`${name} had an XDP program, which went while it was waited for`)
  const device = AfXdpInterface.open({ name, onBusy })
  try {
    const queues = Array.from({ length: queuePairs }, (_, pair) => device.handle(queue + pair))
    const inUse = (): void => void waited.push(`a queue of ${name} was in use, and waited for, ${BUSY_MS} ms at most`)
    const sockets = AfXdpSockets.open(queues, { onBusy: inUse })
    return {
      datapath: { kind: 'af-xdp', sockets: sockets.handles, receiving: AfXdpGroup.shared(queuePairs) },
      // Checksums are completed in the copy into the UMEM; segments are not.
      features: featureSet(VIRTIO_NET_F_CSUM),
      notes: [...waited, `${name} redirects its frames in ${device.xdpMode} mode`, ...offloadNotes(device, fix)],
      link: {
        ...{ ifindex: device.ifindex, name, followMtu: (mtu) => device.followMtu(mtu) },
        whenMoved: 'its sockets are unbound, and its frames are dropped',
        program: { id: device.programId, whenOff: 'its frames go to the network stack of the host, none to a driver' },
      },
      kernelCounts: () => null,
      close: () => {
        sockets.close()
        device.close()
      },
    }
  } catch (error) {
    device.close()
    throw error
  }
}

/** What is on and hides something from AF_XDP: done away with, or said. */
function offloadNotes({ name, xdpMode }: AfXdpInterface, fix: boolean): string[] {
  const unseen = unseenOffloads(name, xdpMode)
  const far = hasFarPeer(name)
    ? [`${name}: its peer is in another network namespace: with txvlan on there, frames arrive without their VLAN tag`]
    : []
  if (fix) {
    fixOffloads(unseen)
    return [...unseen.map((one) => `${one.name}: ${one.offload} is off now (${ethtoolLine(one)})`), ...far]
  }
  const lines = unseen.map(
    (one) => `${one.name}: ${one.offload} is on: ${one.effect}; ${ethtoolLine(one)}, or --fix-offloads, ends that`,
  )
  return [...lines, ...far]
}
