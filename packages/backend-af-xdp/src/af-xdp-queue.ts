import { EAGAIN, EBUSY, ENOBUFS } from '@vring/layout'
import type { FrameBatch, NetBackend } from '@vring/vhost-net'
import type { AfXdpCounters } from './af-xdp-counters.ts'
import type { AfXdpQueueHandle } from './af-xdp-interface.ts'
import { AfXdpReceiver } from './af-xdp-receiver.ts'
import type { AfXdpQueueOptions } from './af-xdp-sizes.ts'
import { type AfXdpSocketHandle, AfXdpSockets } from './af-xdp-sockets.ts'
import { ChunkSender } from './chunk-sender.ts'
import { SEEN } from './seen.ts'

/** Frames that one call sends in copy mode at least. Source: Linux net/xdp/xsk.c, TX_BATCH_SIZE. */
const TX_BATCH_SIZE = 32
/** Calls beyond those that a batch needs, for a driver that is busy: as many in vain end the batch. */
const WAKE_EXTRA = 4

/**
 * A queue of a Linux interface through an AF_XDP socket: takes frames from a driver and gives frames to it.
 *
 * A frame whose checksum its sender has left to a device, as the host's own stack does on a veth, is completed. AF_XDP
 * has nothing else that tells.
 *
 * A frame out is copied once, into the UMEM, which is the only memory that the interface sends from. A checksum that
 * the driver left to the device is completed in the copy. A frame that is longer than a chunk is cut. Of frames in:
 * {@link AfXdpReceiver}.
 *
 * Dropped and counted: `short`, `oversize`, `segmentation` (not offered: the interface can't), `header` (its checksum
 * lies outside of the frame), `down` and `gone` (the interface is). No free chunk is no drop: the rest of the batch is
 * offered again. Of frames for the driver: `no-driver` (they waited while no driver could receive them), `oversize` (of
 * several pieces, longer than the MTU when it was opened). Also what the kernel counts: `kernel`, `ring-full`,
 * `fill-ring-empty`.
 *
 * One thread at a time sends; others of the process may receive by an {@link AfXdpReceiver} of the same socket in its place.
 */
export class AfXdpQueue extends AfXdpReceiver implements NetBackend {
  readonly name: string
  /** The mode that was granted: does the driver work on the UMEM, or the kernel copy. */
  readonly mode: 'copy' | 'zero-copy'
  private readonly sender: ChunkSender
  /** Its socket, where this one opened it. */
  private readonly opened: AfXdpSockets | null

  /**
   * Opens the socket of a queue, or takes one that `AfXdpSockets` has opened.
   *
   * @param options of a socket that is opened
   * @param first a queue or receiver of this thread that has the UMEM already
   * @throws VringError as `AfXdpSockets.open` does
   */
  constructor(
    handle: AfXdpQueueHandle | AfXdpSocketHandle,
    options: AfXdpQueueOptions = {},
    first: AfXdpReceiver | null = null,
  ) {
    const opened = 'sizes' in handle ? null : AfXdpSockets.open([handle], options)
    const socket = 'sizes' in handle ? handle : opened!.handles[0]!
    super(socket, first?.umem)
    const { queue, sizes, firstChunk } = socket
    this.opened = opened
    this.name = `af-xdp:${queue.name}:${queue.queue}`
    this.mode = this.socket.mode
    this.sender = new ChunkSender(
      this.socket,
      this.view,
      this.long,
      queue.frameNow,
      sizes,
      firstChunk + sizes.chunks / 2,
    )
  }

  /**
   * Frames in the TX ring that the driver does not fetch by itself: it was busy when it was called last. Of an
   * interface that is down nothing is unsent, as no time helps. What is in the ring leaves with the first batch after
   * it is up.
   */
  get unsent(): boolean {
    const { tx } = this.socket
    return !this.gone && !this.down && tx.pending() > 0 && tx.needsWakeup
  }

  /**
   * The socket while it says when there is room: it is writable when its TX ring is at most half full (Linux
   * net/xdp/xsk.c, xsk_tx_writeable). Of frames that are out of the ring and not yet complete it says nothing: -1.
   */
  get roomFd(): number {
    if (this.gone) return -1
    const { fd, tx } = this.socket
    return tx.pending() > tx.size / 2 ? fd : -1
  }

  transmit(frames: FrameBatch): number {
    if (this.gone || (this.down && !this.isUp())) return this.sender.dropAll(frames, this.gone ? 'gone' : 'down')
    return this.sender.load(frames)
  }

  /** Lets the kernel send. Frames that it has no room for stay in the ring and leave with a later batch. */
  flush(): void {
    const { socket } = this
    const { tx } = socket
    if (this.gone) return
    let pending = tx.pending()
    let calls = Math.ceil(pending / TX_BATCH_SIZE) + WAKE_EXTRA
    for (let vain = 0; calls > 0 && vain < WAKE_EXTRA && pending > 0 && tx.needsWakeup; calls--) {
      const result = socket.wakeTx()
      if (result === EBUSY || result === ENOBUFS) this.sender.reclaim()
      else if (result !== EAGAIN && result !== 0) {
        this.note(result)
        return
      }
      // EAGAIN may be "more is left" and "not now".
      const left = tx.pending()
      if (left === pending) vain++
      pending = left
    }
  }

  get counters(): AfXdpCounters {
    const { sender, received, seen } = this
    const rxDropped: Record<string, number> = {}
    if (seen[SEEN.noDriver]! > 0) rxDropped['no-driver'] = seen[SEEN.noDriver]!
    if (seen[SEEN.oversize]! > 0) rxDropped['oversize'] = seen[SEEN.oversize]!
    if (!this.gone) {
      const kernel = this.socket.statistics()
      if (kernel.rxDropped > 0) rxDropped['kernel'] = kernel.rxDropped
      if (kernel.rxRingFull > 0) rxDropped['ring-full'] = kernel.rxRingFull
      if (kernel.rxFillRingEmpty > 0) rxDropped['fill-ring-empty'] = kernel.rxFillRingEmpty
    }
    return {
      txFrames: sender.sent.frames,
      txBytes: sender.sent.bytes,
      txDropped: Object.fromEntries(sender.drops),
      rxFrames: received.frames,
      rxBytes: received.bytes,
      rxDropped,
    }
  }

  override close(): void {
    super.close()
    this.opened?.close()
  }

  private isUp(): boolean {
    this.down = false
    this.note(this.socket.wakeTx())
    return !this.down && !this.gone
  }
}
