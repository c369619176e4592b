import { featureSet, splitRingAreas, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { UnixSocket } from '@vring/linux'
import type { MemoryView } from '@vring/memory'
import { FrontendMemory, type FrontendQueue, VhostUserFrontend } from '@vring/vhost-user'
import { createDriverQueue, type DriverQueue } from '@vring/virtqueue'

const GUEST = 0x8000_0000
const HEADER_BYTES = 12
const SLOT_BYTES = 2048
const RX_SLOTS = 0x10_0000
const TX_SLOTS = 0x20_0000
const SLOTS = 256

/** A driver with one queue pair, in this process: sends frames and takes those that come. */
export class TestDriver {
  readonly frontend: VhostUserFrontend
  readonly memory = new FrontendMemory({ bytes: 1 << 22, guestAddress: GUEST })
  readonly #receiver: DriverQueue
  readonly #sender: DriverQueue
  readonly #kicks: { readonly receive: FrontendQueue; readonly send: FrontendQueue }
  readonly #view: MemoryView

  /**
   * @param socket path of a daemon that listens, or the connection of one that came
   * @param pair whose rings it uses
   */
  constructor(socket: string | UnixSocket, pair = 0) {
    const transport = typeof socket === 'string' ? UnixSocket.connect(socket) : socket
    this.frontend = new VhostUserFrontend({ transport })
    this.frontend.negotiate(featureSet(VIRTIO_F_VERSION_1))
    this.frontend.shareMemory([this.memory])
    const { space, region } = this.memory
    space.resolve(region.userAddress, 4, 1)
    this.#view = space.view
    const queue = (index: number): { driver: DriverQueue; kick: FrontendQueue } => {
      const at = region.userAddress + 0x1_0000 * index
      const ring = splitRingAreas(SLOTS, false, at, at + 0x4000, at + 0x8000)
      const driver = createDriverQueue({ ring, memory: space, features: this.frontend.features })
      return { driver, kick: this.frontend.startQueue(index, ring) }
    }
    const [receive, send] = [queue(2 * pair), queue(2 * pair + 1)]
    this.#receiver = receive.driver
    this.#sender = send.driver
    this.#kicks = { receive: receive.kick, send: send.kick }
    for (let i = 0; i < SLOTS; i++) this.#receiver.addOne(GUEST + RX_SLOTS + i * SLOT_BYTES, SLOT_BYTES, true)
    this.#receiver.publish()
    if (this.#receiver.needsKick()) receive.kick.kick.signal()
  }

  /** Sends frames, at most as many as the ring has entries. */
  send(frames: readonly Uint8Array[]): void {
    this.#sender.reclaim()
    for (const [i, frame] of frames.entries()) {
      this.#view.u8.fill(0, TX_SLOTS + i * SLOT_BYTES, TX_SLOTS + i * SLOT_BYTES + HEADER_BYTES)
      this.#view.u8.set(frame, TX_SLOTS + i * SLOT_BYTES + HEADER_BYTES)
      this.#sender.addOne(GUEST + TX_SLOTS + i * SLOT_BYTES, HEADER_BYTES + frame.length, false)
    }
    this.#sender.publish()
    if (this.#sender.needsKick()) this.#kicks.send.kick.signal()
  }

  /** Fills the transmit ring with the same short frame again and again: call it as often as there is time. */
  flood(): void {
    this.flooded += this.#sender.reclaim()
    const { freeCount } = this.#sender
    for (let i = 0; i < freeCount; i++) this.#sender.addOne(GUEST + TX_SLOTS, HEADER_BYTES + 60, false)
    if (freeCount > 0) this.#sender.publish()
    if (this.#sender.needsKick()) this.#kicks.send.kick.signal()
  }
  /** Frames of {@link flood} that came back as used. */
  flooded = 0

  /** Breaks the transmit ring: more entries than it has are made available. */
  breakSender(): void {
    this.#sender.windows.driver.store16Release(2, 0x7fff)
    this.#kicks.send.kick.signal()
  }

  /** Sent frames that came back as used. */
  sent(): number {
    return this.#sender.reclaim()
  }

  /** Frames that arrived, in the order of their buffers, which go in turn; they are given back. */
  receive(): Uint8Array[] {
    const frames: Uint8Array[] = []
    while (this.#receiver.getUsed()) {
      const slot = this.#received++ % SLOTS
      const at = RX_SLOTS + slot * SLOT_BYTES
      frames.push(this.#view.u8.slice(at + HEADER_BYTES, at + this.#receiver.usedLength))
      this.#receiver.addOne(GUEST + RX_SLOTS + slot * SLOT_BYTES, SLOT_BYTES, true)
    }
    if (frames.length === 0) return frames
    this.#receiver.publish()
    if (this.#receiver.needsKick()) this.#kicks.receive.kick.signal()
    return frames
  }
  #received = 0

  /** Hangs up, as a process that ends does. */
  close(): void {
    this.frontend.close()
    this.memory.close()
  }
}
