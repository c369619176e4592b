import { XdpSocket, type XdpSocketHandle, XdpSocketView } from '@vring/linux'
import { NET_BATCH } from '@vring/vhost-net'
import type { AfXdpQueueHandle } from './af-xdp-interface.ts'
import { type AfXdpQueueOptions, type AfXdpSizes, afXdpSizes } from './af-xdp-sizes.ts'
import { LongFrames } from './long-frames.ts'
import { BUSY_MS, openWhenFree } from './open-when-free.ts'
import { SEEN } from './seen.ts'
import { enterSocket } from './xsk-redirect.ts'

/** An open socket of a queue, for any thread of the process: plain data. */
export interface AfXdpSocketHandle {
  readonly queue: AfXdpQueueHandle
  readonly socket: XdpSocketHandle
  readonly sizes: AfXdpSizes
  /** The first chunk of the UMEM that is this socket's: one half of them for frames in, then one for frames out. */
  readonly firstChunk: number
  /** Where its slots for {@link LongFrames} begin, bytes. */
  readonly firstSlot: number
  /** What all threads that have a view of it count and see, in shared memory. */
  readonly seen: Float64Array
}

/**
 * The AF_XDP sockets of queues of one interface over one UMEM (XDP_SHARED_UMEM), each with a part of its chunks:
 *
 * ```
 *   in of socket 0 | out of socket 0 | in of socket 1 | out of socket 1 | ...      slots of socket 0, 1, ...
 * ```
 *
 * What is opened and closed. A thread that moves frames has an `AfXdpQueue` of a handle, or an `AfXdpReceiver`.
 */
export class AfXdpSockets {
  readonly handles: readonly AfXdpSocketHandle[]
  readonly #sockets: readonly XdpSocket[]

  private constructor(handles: readonly AfXdpSocketHandle[], sockets: readonly XdpSocket[]) {
    this.handles = handles
    this.#sockets = sockets
  }

  /**
   * Opens a socket for each queue, and enters them into the program's map: frames arrive from now on.
   *
   * @param queues at least one, of one interface
   * @throws VringError ERR_OUT_OF_RANGE for a size. ERR_SYSTEM: EBUSY (a queue has a socket, after `busyMs`),
   * EOPNOTSUPP or EINVAL (zero-copy, and the driver has it not), ENETDOWN, EPERM
   */
  static open(queues: readonly AfXdpQueueHandle[], options: AfXdpQueueOptions = {}): AfXdpSockets {
    const { mode = 'auto', busyMs = BUSY_MS, onBusy = () => {} } = options
    const sizes = afXdpSizes(queues[0]!, options, queues.length)
    const { chunks, chunkBytes, ringEntries, frameBytes, multiBuffer } = sizes
    const slotsBytes = multiBuffer ? LongFrames.slotsBytes(NET_BATCH + 1, frameBytes) : 0
    const all = queues.length * chunks
    const umem = { chunks: all, chunkBytes, ringEntries, multiBuffer, spareBytes: queues.length * slotsBytes }
    const sockets: XdpSocket[] = []
    const handles: AfXdpSocketHandle[] = []
    try {
      for (const [index, queue] of queues.entries()) {
        const [first] = sockets
        const wanted = { ifindex: queue.ifindex, queue: queue.queue, mode, ...umem }
        const shared = first === undefined ? {} : { umemOf: first }
        sockets.push(openWhenFree(() => XdpSocket.open({ ...wanted, ...shared }), busyMs, onBusy))
        handles.push({
          ...{ queue, socket: sockets[index]!.handle, sizes, firstChunk: index * chunks },
          firstSlot: all * chunkBytes + index * slotsBytes,
          seen: new Float64Array(new SharedArrayBuffer(8 * Object.keys(SEEN).length)),
        })
      }
      for (const handle of handles) begin(handle)
      return new AfXdpSockets(handles, sockets)
    } catch (error) {
      for (const socket of sockets.reverse()) socket.close()
      throw error
    }
  }

  /** Closes them and their memory: no view is used any more. A second call does nothing. */
  close(): void {
    // The first one has the memory of all.
    for (const socket of [...this.#sockets].reverse()) socket.close()
  }
}

/** Gives the kernel the chunks for frames in, and the program the socket. */
function begin({ queue, socket, sizes, firstChunk }: AfXdpSocketHandle): void {
  const { chunks, chunkBytes } = sizes
  // Nothing is written to the UMEM here.
  const view = new XdpSocketView(socket, new ArrayBuffer(0))
  const { fill } = view
  for (let i = 0; i < chunks / 2; i++) {
    const entry = fill.at(i)
    fill.words[entry] = (firstChunk + i) * chunkBytes
    fill.words[entry + 1] = 0
  }
  fill.publish(chunks / 2)
  view.close()
  enterSocket(queue.socketsFd, queue.queues, queue.queue, socket.fd)
}
