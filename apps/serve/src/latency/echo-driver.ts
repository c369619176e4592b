import {
  ETH_HEADER_BYTES,
  featureSet,
  NET_HDR_MRG_BYTES,
  splitRingAreas,
  VIRTIO_F_VERSION_1,
  VringError,
} from '@vring/layout'
import { PollSet, UnixSocket } from '@vring/linux'
import { ACCESS_WRITE, type MemoryView } from '@vring/memory'
import { FrontendMemory, type FrontendQueue, VhostUserFrontend } from '@vring/vhost-user'
import { createDriverQueue, type DriverQueue } from '@vring/virtqueue'

const GUEST = 0x8000_0000
const MEMORY_BYTES = 1 << 20
const RING_BYTES = 0x1_0000
const ENTRIES = 64
const BUFFERS = 0x4_0000
const BUFFER_BYTES = 2048
/** Where the frame is that goes round. */
const FRAME = 0x2_0000
/** Local experimental Ethertype 1 (IEEE 802): no stack answers it. */
const ETHERTYPE = 0x88b5
/** Bytes of the frame that say which it is, after its Ethernet header. */
export const ECHO_BYTES_MIN: number = ETH_HEADER_BYTES + 4
export const ECHO_BYTES_MAX = 1514
/** A frame that is not back by then is lost, ms. */
const LOST_MS = 2000

interface Ring {
  readonly queue: DriverQueue
  readonly signals: FrontendQueue
}

/**
 * A driver that sends one frame at a time and waits for its echo, as an interrupt-driven driver does: it kicks when the
 * device wants it, and sleeps until it is called.
 */
export class EchoDriver {
  private readonly frontend: VhostUserFrontend
  private readonly memory = new FrontendMemory({ bytes: MEMORY_BYTES, guestAddress: GUEST })
  private readonly receiver: Ring
  private readonly sender: Ring
  private readonly view: MemoryView
  private readonly poll = new PollSet()
  private readonly bytes: number
  /** Buffer of each head of the receive ring. */
  private readonly buffer = new Uint32Array(ENTRIES)
  private sequence = 0
  /** Kicks that the device wanted. */
  kicks = 0

  /**
   * @param bytes of a frame, {@link ECHO_BYTES_MIN} to {@link ECHO_BYTES_MAX}
   * @throws VringError ERR_SYSTEM, ERR_PROTOCOL
   */
  constructor(socket: string, bytes: number) {
    this.bytes = bytes
    this.frontend = new VhostUserFrontend({ transport: UnixSocket.connect(socket) })
    this.frontend.negotiate(featureSet(VIRTIO_F_VERSION_1))
    this.frontend.shareMemory([this.memory])
    const { space, region } = this.memory
    space.resolve(region.userAddress, 4, ACCESS_WRITE)
    this.view = space.view
    this.receiver = this.ring(0)
    this.sender = this.ring(1)
    this.poll.watch([this.receiver.signals.call.fd])
    for (let at = BUFFERS; at < BUFFERS + ENTRIES * BUFFER_BYTES; at += BUFFER_BYTES) this.offer(at)
    this.kick(this.receiver)
    // Frames that were sent are taken back with the next one: nothing waits for them.
    this.sender.queue.setNotification(false)
    const { u8 } = this.view
    u8.fill(0xff, FRAME + NET_HDR_MRG_BYTES, FRAME + NET_HDR_MRG_BYTES + 6)
    u8.set([2, 0, 0, 0, 0, 1, ETHERTYPE >> 8, ETHERTYPE & 0xff], FRAME + NET_HDR_MRG_BYTES + 6)
  }

  /**
   * Sends a frame and waits until it is back in the receive ring.
   *
   * @returns milliseconds from just before it was made available
   * @throws VringError ERR_SYSTEM ETIMEDOUT when it does not come back
   */
  roundTrip(): number {
    const { queue } = this.sender
    queue.reclaim()
    const number = ++this.sequence >>> 0
    new DataView(this.view.u8.buffer).setUint32(FRAME + NET_HDR_MRG_BYTES + ETH_HEADER_BYTES, number)
    const start = performance.now()
    queue.addOne(GUEST + FRAME, NET_HDR_MRG_BYTES + this.bytes, false)
    this.kick(this.sender)
    for (;;) {
      if (this.takes(number)) return performance.now() - start
      if (this.poll.wait(LOST_MS) === 0)
        throw new VringError('ERR_SYSTEM', `the frame is not back within ${LOST_MS} ms`, {
          field: 'poll',
          value: 'ETIMEDOUT',
        })
      this.receiver.signals.call.drain()
    }
  }

  /** Hangs up. */
  close(): void {
    this.frontend.close()
    this.memory.close()
  }

  private ring(index: number): Ring {
    const at = this.memory.region.userAddress + RING_BYTES * index
    const ring = splitRingAreas(ENTRIES, false, at, at + 0x4000, at + 0x8000)
    const queue = createDriverQueue({ ring, memory: this.memory.space, features: this.frontend.features, pinned: true })
    return { queue, signals: this.frontend.startQueue(index, ring) }
  }

  /** Takes what arrived; the stack of the namespace says things on its own. True: the frame of this number was there. */
  private takes(number: number): boolean {
    const { queue } = this.receiver
    let found = false
    while (queue.getUsed()) {
      const at = this.buffer[queue.usedId]!
      const view = new DataView(this.view.u8.buffer, at + NET_HDR_MRG_BYTES, ECHO_BYTES_MIN)
      if (view.getUint16(ETH_HEADER_BYTES - 2) === ETHERTYPE && view.getUint32(ETH_HEADER_BYTES) === number)
        found = true
      this.offer(at)
    }
    queue.publish()
    if (queue.needsKick()) this.receiver.signals.kick.signal()
    return found
  }

  private offer(at: number): void {
    this.buffer[this.receiver.queue.addOne(GUEST + at, BUFFER_BYTES, true)] = at
  }

  private kick({ queue, signals }: Ring): void {
    queue.publish()
    if (!queue.needsKick()) return
    this.kicks++
    signals.kick.signal()
  }
}
