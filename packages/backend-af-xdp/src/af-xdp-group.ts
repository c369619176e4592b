import { NET_HDR_MRG_BYTES } from '@vring/layout'
import { EpollSet } from '@vring/linux'
import { FrameBatch, type FrameSource } from '@vring/vhost-net'
import type { AfXdpQueue } from './af-xdp-queue.ts'

/**
 * The queues of an interface that serve the pairs of one driver. An AF_XDP socket takes the frames of its own queue and no
 * others, so the sockets of pairs that do not receive stay open, and a pair that does takes their frames: all of a queue, so
 * that a flow stays in one place. While no pair receives, frames are dropped and counted.
 */
export class AfXdpGroup {
  /** By pair: what its driver receives. */
  readonly sources: readonly FrameSource[]
  private readonly queues: readonly AfXdpQueue[]
  private readonly pairs: readonly PairSource[]
  private readonly receiving = new Set<number>()

  /** @throws VringError ERR_SYSTEM */
  constructor(queues: readonly AfXdpQueue[]) {
    this.queues = queues
    // One queue has nothing to share: nothing stands in its way.
    this.pairs = queues.length === 1 ? [] : queues.map(() => new PairSource())
    this.sources = queues.length === 1 ? queues : this.pairs
  }

  /** A pair can receive, or no longer. */
  setReceiving(pair: number, receiving: boolean): void {
    const none = this.receiving.size === 0
    if (receiving) this.receiving.add(pair)
    else this.receiving.delete(pair)
    // What waits is for the driver that leaves; and what came without one is for none.
    if (none || this.receiving.size === 0) for (const queue of this.queues) queue.dropWaiting()
    this.share()
  }

  /** Its queues are closed by their opener. */
  close(): void {
    for (const pair of this.pairs) pair.close()
  }

  private share(): void {
    const pairs = [...this.receiving].sort((one, other) => one - other)
    const takes = (queue: number): number => (this.receiving.has(queue) ? queue : (pairs[queue % pairs.length] ?? -1))
    for (const [pair, source] of this.pairs.entries())
      source.take(this.queues.filter((_, queue) => takes(queue) === pair))
  }
}

/** The frames of several queues, in turn. */
class PairSource implements FrameSource {
  private readonly epoll = EpollSet.create()
  private readonly none = new FrameBatch(NET_HDR_MRG_BYTES)
  private queues: readonly AfXdpQueue[] = []
  private watched: readonly AfXdpQueue[] = []
  /** Index of the queue whose frames were given last. */
  private turn = 0

  /** Readable while one of its queues has frames. */
  get wakeFd(): number {
    if (this.watched.some(isGone)) this.watch()
    return this.watched.length === 0 ? -1 : this.epoll.fd
  }

  take(queues: readonly AfXdpQueue[]): void {
    this.queues = queues
    this.turn = 0
    this.watch()
  }

  receive(): FrameBatch {
    const { queues } = this
    for (let i = 0; i < queues.length; i++) {
      const batch = queues[this.turn]!.receive()
      if (batch.count > 0) return batch
      this.turn = this.turn + 1 === queues.length ? 0 : this.turn + 1
    }
    return this.none
  }

  /** What is left of a batch is given again; after a whole one it is the next queue's turn. */
  consume(count: number): void {
    const queue = this.queues[this.turn]
    if (queue === undefined || count === 0) return
    queue.consume(count)
    if (queue.waiting === 0) this.turn = this.turn + 1 === this.queues.length ? 0 : this.turn + 1
  }

  close(): void {
    this.epoll.close()
  }

  private watch(): void {
    this.watched = this.queues.filter((queue) => !queue.gone)
    this.epoll.watch(this.watched.map(({ wakeFd }) => wakeFd))
  }
}

const isGone = ({ gone }: AfXdpQueue): boolean => gone
