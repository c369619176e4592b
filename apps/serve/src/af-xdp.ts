import { AfXdpInterface } from '@vring/backend-af-xdp'
import { featureSet, VIRTIO_NET_F_CSUM } from '@vring/layout'
import type { Device } from './device.ts'

/**
 * Takes queues of an interface for AF_XDP sockets; its other queues keep their frames in the network stack.
 *
 * @param queue the first of `queuePairs` queues
 * @throws VringError ERR_SYSTEM: ENODEV, EBUSY (it has an XDP program), EPERM; ERR_OUT_OF_RANGE for the queue
 */
export function openAfXdp(name: string, queue: number, queuePairs: number): Device {
  const device = AfXdpInterface.open({ name })
  try {
    return {
      datapath: {
        kind: 'af-xdp',
        queues: Array.from({ length: queuePairs }, (_, pair) => device.handle(queue + pair)),
      },
      // Checksums are completed in the copy into the UMEM; segments are not.
      features: featureSet(VIRTIO_NET_F_CSUM),
      note: `${name} redirects its frames in ${device.xdpMode} mode`,
      kernelCounts: () => null,
      close: () => device.close(),
    }
  } catch (error) {
    device.close()
    throw error
  }
}
