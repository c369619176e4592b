import { NET_HDR_MRG_BYTES } from '@vring/layout'
import { EpollSet } from '@vring/linux'
import { FrameBatch, type FrameSource } from '@vring/vhost-net'
import type { AfXdpReceiver } from './af-xdp-receiver.ts'

export interface AfXdpGroupOptions {
  /** Pairs that this thread serves. Default: all. */
  readonly pairs?: readonly number[]
  /** Of {@link AfXdpGroup.shared}: which pairs receive, for all threads. Default: of this group alone. */
  readonly shared?: Int32Array
}

/** Of {@link AfXdpGroup.shared}: changes since the beginning; then a number for each pair, 1: it receives. */
const CHANGES = 0
const FIRST_PAIR = 1

/**
 * The queues of an interface that serve the pairs of one driver. An AF_XDP socket takes the frames of its own queue and
 * no others. So the sockets of pairs that do not receive stay open, and a pair that does takes their frames. It takes
 * all frames of a queue, so that a flow stays in one place. While no pair receives, frames are dropped and counted.
 *
 * With a group in each of several threads a queue goes over to another thread. Which pairs receive is in shared memory.
 * Every thread works out from it who takes which queue, and looks before each batch whether it changed. So only one
 * thread at a time uses a queue. The condition: a pair begins to receive only while no thread is between `receive` and
 * `consume`.
 */
export class AfXdpGroup {
  /** By pair: what its driver receives; null: another thread serves it. */
  readonly sources: readonly (FrameSource | null)[]
  private readonly queues: readonly AfXdpReceiver[]
  private readonly pairs: ReadonlyMap<number, PairSource>
  private readonly shared: Int32Array
  /** Changes that this thread has followed. */
  private followed = 0

  /** What groups of several threads have in common. */
  static shared(pairs: number): Int32Array {
    return new Int32Array(new SharedArrayBuffer(4 * (FIRST_PAIR + pairs)))
  }

  /**
   * @param queues of all pairs, as this thread has them
   * @throws VringError ERR_SYSTEM
   */
  constructor(queues: readonly AfXdpReceiver[], options: AfXdpGroupOptions = {}) {
    const { pairs = [...queues.keys()], shared = AfXdpGroup.shared(queues.length) } = options
    this.queues = queues
    this.shared = shared
    // One queue has nothing to share: nothing stands in its way.
    const alone = queues.length === 1
    this.pairs = new Map(alone ? [] : pairs.map((pair) => [pair, new PairSource(() => this.follow())]))
    this.sources = alone ? queues : queues.map((_, pair) => this.pairs.get(pair) ?? null)
  }

  /**
   * A pair of this thread can receive, or no longer. When one begins, no other thread is between `receive` and
   * `consume`; when it ends they may be.
   */
  setReceiving(pair: number, receiving: boolean): void {
    this.follow()
    const before = this.receiving()
    if (before.includes(pair) === receiving) return
    // What waits is for the driver that leaves; the last pair has all queues.
    if (!receiving && before.length === 1) this.dropWaiting()
    Atomics.store(this.shared, FIRST_PAIR + pair, receiving ? 1 : 0)
    Atomics.add(this.shared, CHANGES, 1)
    this.follow()
    // What came without a driver is for none.
    if (receiving && before.length === 0) this.dropWaiting()
  }

  /** Its queues are closed by their opener. */
  close(): void {
    for (const pair of this.pairs.values()) pair.close()
  }

  private receiving(): number[] {
    return [...this.queues.keys()].filter((pair) => Atomics.load(this.shared, FIRST_PAIR + pair) === 1)
  }

  private dropWaiting(): void {
    for (const queue of this.queues) queue.dropWaiting()
  }

  /** Shares the queues out again, if a pair began or ended somewhere since. */
  private follow(): void {
    const changes = Atomics.load(this.shared, CHANGES)
    if (changes === this.followed) return
    this.followed = changes
    // Another thread may have had any of them.
    for (const queue of this.queues) queue.follow()
    const pairs = this.receiving()
    const takes = (queue: number): number => (pairs.includes(queue) ? queue : (pairs[queue % pairs.length] ?? -1))
    for (const [pair, source] of this.pairs) source.take(this.queues.filter((_, queue) => takes(queue) === pair))
  }
}

/** The frames of several queues, in turn. */
class PairSource implements FrameSource {
  private readonly epoll = EpollSet.create()
  private readonly none = new FrameBatch(NET_HDR_MRG_BYTES)
  private queues: readonly AfXdpReceiver[] = []
  private watched: readonly AfXdpReceiver[] = []
  /** Index of the queue whose frames were given last. */
  private turn = 0
  private readonly follow: () => void

  /** @param follow sees to it that {@link take} was called with the queues of now */
  constructor(follow: () => void) {
    this.follow = follow
  }

  /** Readable while one of its queues has frames. */
  get wakeFd(): number {
    this.follow()
    if (this.watched.some(isGone)) this.watch()
    return this.watched.length === 0 ? -1 : this.epoll.fd
  }

  take(queues: readonly AfXdpReceiver[]): void {
    this.queues = queues
    this.turn = 0
    this.watch()
  }

  receive(): FrameBatch {
    this.follow()
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

const isGone = ({ gone }: AfXdpReceiver): boolean => gone
