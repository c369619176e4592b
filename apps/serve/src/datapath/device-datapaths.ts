import { AfXdpGroup, AfXdpQueue, AfXdpReceiver } from '@vring/backend-af-xdp'
import type { LinuxTapQueue } from '@vring/backend-tap/linux'
import { ETH_HEADER_BYTES } from '@vring/layout'
import { type Datapath, nothing } from './datapath-ends.ts'
import type { DatapathSpec } from './datapath-spec.ts'
import { tapCarrier, tapOffloads } from './tap-offloads.ts'

/** Of an Ethernet header with two VLAN tags, which a queue's longest frame has. */
const LINK_HEADER_BYTES = ETH_HEADER_BYTES + 8

/** Its carrier says whether a driver receives: without one the stack sends nothing into it. */
export function tapPath(queues: readonly LinuxTapQueue[], receiving: Int32Array): Datapath {
  const { ioRefusal, handle } = queues[0]!
  tapCarrier(handle.fd, false)
  for (const queue of queues) queue.setReceiving(false)
  return {
    ...devicePath(queues),
    note: ioRefusal === null ? null : `without io_uring, by one call a frame: ${ioRefusal}`,
    setReceiving: (pair, now) => {
      // Pairs begin and end one after the other, whichever thread has them.
      const pairs = now ? Atomics.add(receiving, 0, 1) + 1 : Atomics.sub(receiving, 0, 1) - 1
      if (pairs === 0) tapCarrier(handle.fd, false)
      queues[pair]!.setReceiving(now)
      if (now && pairs === 1) tapCarrier(handle.fd, true)
    },
    negotiated: (features) => tapOffloads(handle.fd, features),
  }
}

/** Sources of pairs that receive take the frames of those that do not, whichever thread has those. */
export function afXdpPath(
  { sockets, receiving }: Extract<DatapathSpec, { kind: 'af-xdp' }>,
  owned: readonly number[],
): Datapath {
  const all: AfXdpReceiver[] = []
  const queues: AfXdpQueue[] = []
  for (const [pair, socket] of sockets.entries()) {
    const [first] = all
    if (owned.includes(pair)) queues.push(new AfXdpQueue(socket, {}, first))
    all.push(owned.includes(pair) ? queues.at(-1)! : new AfXdpReceiver(socket, first?.umem))
  }
  const group = new AfXdpGroup(all, { pairs: owned, shared: receiving })
  const path = devicePath(queues)
  return {
    ...path,
    pairs: path.pairs.map((ends, index) => ({ ...ends, source: group.sources[owned[index]!]! })),
    setReceiving: (index, now) => group.setReceiving(owned[index]!, now),
    close: () => {
      group.close()
      for (const one of all) one.close()
    },
  }
}

/** Queues of a Linux device: each is both ends of its pair. */
function devicePath(queues: readonly (LinuxTapQueue | AfXdpQueue)[]): Datapath {
  return {
    ...nothing,
    mtu: () => queues[0]!.handle.frameNow[0]! - LINK_HEADER_BYTES,
    pairs: queues.map((queue) => ({
      backend: queue,
      source: queue,
      rxDropped: () => queue.counters.rxDropped,
      gone: () => queue.gone,
    })),
    close: () => {
      for (const queue of queues) queue.close()
    },
  }
}
