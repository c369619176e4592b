import { memoryView } from '@vring/memory'
import { FrameBatch, LoopbackBackend, NET_BATCH, type NetBackendCounters } from '@vring/vhost-net'
import { batchOf, type NetSubject } from './net-case.ts'
import { runNetConformance } from './net-conformance.ts'

/** A backend with one mistake, and the case that has to find it. */
export interface NetMutant {
  /** The mistake, as a fact. */
  readonly name: string
  /** Title of a case that fails. */
  readonly killedBy: string
  readonly subject: NetSubject
}

type Wire = LoopbackBackend

const SUPPORTS = { inPlace: false, xdp: false, privileged: false, receives: true }

/** What the kit sees of a wire whose ends are one driver's: what is sent comes back. */
export function wireSubject(name: string, create: () => Wire): NetSubject {
  return {
    plugin: { name, supports: SUPPORTS },
    create,
    sent(backend) {
      const wire = backend as Wire
      const frames: Uint8Array[] = []
      for (let batch = wire.receive(); batch.count > 0; batch = wire.receive()) {
        for (let i = 0; i < batch.count; i++)
          frames.push(batch.view.u8.slice(batch.offset[i]! + batch.headerBytes, batch.offset[i]! + batch.length[i]!))
        wire.consume(batch.count)
        if (frames.length > 10_000) break
      }
      return frames
    },
    arrive: (backend, frame) => (backend as Wire).transmit(batchOf([frame])) === 1,
  }
}

const mutant = (name: string, killedBy: string, create: () => Wire): NetMutant => {
  return { name, killedBy, subject: wireSubject('a mutant', create) }
}

/** A wire whose counters are changed. */
function counting(change: (counters: NetBackendCounters) => NetBackendCounters): () => Wire {
  return () =>
    new (class extends LoopbackBackend {
      override get counters(): NetBackendCounters {
        return change(super.counters)
      }
    })()
}

/** A wire whose transmit is changed. */
function transmitting(change: (send: (batch: FrameBatch) => number, batch: FrameBatch) => unknown): () => Wire {
  return () =>
    new (class extends LoopbackBackend {
      override transmit(batch: FrameBatch): number {
        return change((one) => super.transmit(one), batch) as number
      }
    })()
}

function copyOf(batch: FrameBatch, change: (copy: FrameBatch) => void): FrameBatch {
  const copy = new FrameBatch(batch.headerBytes, batch.view)
  copy.count = batch.count
  copy.offset.set(batch.offset)
  copy.length.set(batch.length)
  change(copy)
  return copy
}

class SharedWire extends LoopbackBackend {
  static one = new LoopbackBackend()
  override transmit(batch: FrameBatch): number {
    return SharedWire.one.transmit(batch)
  }
  override get counters(): NetBackendCounters {
    return SharedWire.one.counters
  }
}

class FirstViewWire extends LoopbackBackend {
  firstView: FrameBatch['view'] | null = null
  override transmit(batch: FrameBatch): number {
    this.firstView ??= batch.view
    return super.transmit(
      copyOf(batch, (copy) => {
        copy.view = this.firstView!
      }),
    )
  }
}

/** Copies when it is read, not when it is sent. */
class LateWire extends LoopbackBackend {
  readonly late: FrameBatch[] = []
  override transmit(batch: FrameBatch): number {
    this.late.push(copyOf(batch, () => {}))
    return batch.count
  }
  override receive(): FrameBatch {
    for (const batch of this.late.splice(0)) super.transmit(batch)
    return super.receive()
  }
}

class TwiceWire extends LoopbackBackend {
  last: FrameBatch | null = null
  override transmit(batch: FrameBatch): number {
    this.last = copyOf(batch, () => {})
    return super.transmit(batch)
  }
  override flush(): void {
    const { last } = this
    this.last = null
    if (last !== null && this.again++ % 2 === 1) super.transmit(last)
  }
  again = 1
}

class SourceWire extends LoopbackBackend {
  readonly #receive: (wire: () => FrameBatch) => FrameBatch
  readonly #consume: (count: number, let_: (count: number) => void) => void
  constructor(receive: SourceWire['receiveBy'], consume: SourceWire['consumeBy']) {
    super()
    this.#receive = receive
    this.#consume = consume
  }
  declare receiveBy: (wire: () => FrameBatch) => FrameBatch
  declare consumeBy: (count: number, letGo: (count: number) => void) => void
  override receive(): FrameBatch {
    return this.#receive(() => super.receive())
  }
  override consume(count: number): void {
    this.#consume(count, (given) => super.consume(given))
  }
}

const asIs = (wire: () => FrameBatch): FrameBatch => wire()
const goOn = (count: number, letGo: (count: number) => void): void => letGo(count)
const source = (
  receive: (wire: () => FrameBatch, self: { one: SourceWire | null }) => FrameBatch,
  consume: (count: number, letGo: (count: number) => void, self: { one: SourceWire | null }) => void = goOn,
): (() => Wire) => {
  return () => {
    const self: { one: SourceWire | null } = { one: null }
    self.one = new SourceWire(
      (wire) => receive(wire, self),
      (count, letGo) => consume(count, letGo, self),
    )
    return self.one
  }
}

/** Overwrites the oldest frame in place when the next one comes in. */
class OverwritingWire extends LoopbackBackend {
  override transmit(batch: FrameBatch): number {
    const taken = super.transmit(batch)
    const waiting = super.receive()
    if (this.waiting > 20 && waiting.count > 0)
      waiting.view.u8.fill(0x77, waiting.offset[0]! + 12, waiting.offset[0]! + 40)
    return taken
  }
}

const COUNTS = 'counts the frames that it takes, and their bytes without headers'
const SHORT = 'a frame shorter than an Ethernet header is dropped and counted, and so is one of no byte'
const LEAVE = 'frames leave as they were, in order, each once'

/** Backends with one mistake each. */
export const NET_MUTANTS: readonly NetMutant[] = [
  mutant(
    'txBytes has the headers in it',
    COUNTS,
    counting((was) => ({ ...was, txBytes: was.txBytes + 12 * was.txFrames })),
  ),
  mutant(
    'txFrames counts batches',
    COUNTS,
    counting((was) => ({ ...was, txFrames: Math.ceil(was.txFrames / NET_BATCH) })),
  ),
  mutant(
    'what is dropped is not counted',
    SHORT,
    counting((was) => ({ ...was, txDropped: {} })),
  ),
  mutant(
    'more is dropped than was taken',
    'never drops more than it took, and no longer counts a frame as taken twice',
    counting((was) => ({ ...was, txDropped: { full: 2 * was.txFrames } })),
  ),
  mutant(
    'a frame that is none throws',
    SHORT,
    transmitting((send, batch) => {
      for (let i = 0; i < batch.count; i++) if (batch.length[i]! < 26) throw new RangeError('a short frame')
      return send(batch)
    }),
  ),
  mutant(
    'transmit is asynchronous',
    COUNTS,
    transmitting(async (send, batch) => send(batch)),
  ),
  mutant(
    'transmit gives nothing',
    COUNTS,
    transmitting((send, batch) => void send(batch)),
  ),
  mutant(
    'nothing is ever taken',
    COUNTS,
    transmitting(() => 0),
  ),
  mutant(
    'an empty batch counts as one frame',
    'an empty batch is taken, and changes no counter',
    transmitting((send, batch) => (batch.count === 0 ? 1 : send(batch))),
  ),
  mutant(
    "the TTL is written in the driver's memory",
    'leaves the memory of a driver as it was, unless needsCopy says that it writes',
    transmitting((send, batch) => {
      if (batch.count > 0) batch.view.u8[batch.offset[0]! + 34]! ^= 1
      return send(batch)
    }),
  ),
  mutant(
    'the padding after a frame leaves with it',
    'looks at no column past count, and at nothing outside of a frame',
    transmitting((send, batch) =>
      send(
        copyOf(batch, ({ length, count }) => {
          for (let i = 0; i < count; i++) length[i]! += 4
        }),
      ),
    ),
  ),
  mutant(
    'one column more than count is read',
    'looks at no column past count, and at nothing outside of a frame',
    transmitting((send, batch) => {
      if (batch.count < NET_BATCH && batch.offset[batch.count]! > batch.view.u8.length)
        throw new RangeError('outside of the view')
      return send(batch)
    }),
  ),
  mutant(
    'the last frame of a batch leaves first',
    LEAVE,
    transmitting((send, batch) =>
      send(
        copyOf(batch, ({ offset, length, count }) => {
          offset.subarray(0, count).reverse()
          length.subarray(0, count).reverse()
        }),
      ),
    ),
  ),
  mutant(
    'every fifth frame is lost',
    LEAVE,
    transmitting((send, batch) => {
      const kept = copyOf(batch, (copy) => {
        copy.count = 0
        for (let i = 0; i < batch.count; i++)
          if (i % 5 !== 4) {
            copy.offset[copy.count] = batch.offset[i]!
            copy.length[copy.count++] = batch.length[i]!
          }
      })
      send(kept)
      return batch.count
    }),
  ),
  mutant(
    'frames are copied when they are read, not when they are sent',
    "keeps nothing of the memory after flush: it is the driver's again",
    () => new LateWire(),
  ),
  mutant(
    'the view of the first batch is kept',
    'takes each batch from the view that it names, which may be another one',
    () => new FirstViewWire(),
  ),
  mutant('a batch is sent again by flush', 'flush without a batch does nothing, however often', () => new TwiceWire()),
  mutant('all queues have one backend', 'two backends of one plugin have nothing in common', () => {
    return new SharedWire()
  }),
  mutant(
    'receive lets go of what it gives',
    'gives the same frames again until they are consumed',
    source((wire, { one }) => {
      const batch = wire()
      const copy = copyOf(batch, () => {})
      if (one !== null) LoopbackBackend.prototype.consume.call(one, batch.count)
      return copy
    }),
  ),
  mutant(
    'consume lets go of all',
    'consume(n) lets go of the first n, and of no other',
    source(asIs, (count, letGo, { one }) => letGo(count === 0 ? 0 : (one?.waiting ?? count))),
  ),
  mutant(
    'consume(0) lets go of one',
    'gives the same frames again until they are consumed',
    source(asIs, (count, letGo, { one }) => letGo(count === 0 && (one?.waiting ?? 0) > 0 ? 1 : count)),
  ),
  mutant(
    'the newest frame comes first',
    'gives the same frames again until they are consumed',
    source((wire) =>
      copyOf(wire(), ({ offset, length, count }) => {
        offset.subarray(0, count).reverse()
        length.subarray(0, count).reverse()
      }),
    ),
  ),
  mutant(
    'the last frame that waits is never given',
    'many frames come in order, each once, whatever part of a batch is consumed',
    source((wire) =>
      copyOf(wire(), (copy) => {
        copy.count = Math.max(0, copy.count - 1)
      }),
    ),
  ),
  mutant(
    'a frame comes where none came in',
    'has no frame before one came in, and is asked as often as one likes',
    source((wire) => {
      const batch = wire()
      if (batch.count > 0) return batch
      const made = new FrameBatch(12, memoryView(new ArrayBuffer(128)))
      made.count = 1
      made.length[0] = 72
      return made
    }),
  ),
  mutant(
    'a frame that waits is overwritten by the next ones',
    'frames that wait keep their bytes while others come in',
    () => new OverwritingWire(),
  ),
  mutant(
    'a batch is longer than a batch',
    'many frames come in order, each once, whatever part of a batch is consumed',
    source((wire, { one }) =>
      copyOf(wire(), (copy) => {
        if ((one?.waiting ?? 0) > NET_BATCH) copy.count = NET_BATCH + 1
      }),
    ),
  ),
  mutant('wakeFd is no descriptor', 'wakeFd is a descriptor, or says that there is none', () =>
    Object.assign(new LoopbackBackend(), { wakeFd: Number.NaN }),
  ),
]

/** One line of the table of kills. */
export interface NetKill {
  readonly mutant: string
  /** Titles of the cases that failed. */
  readonly failed: readonly string[]
  /** Has the case failed that has to? */
  readonly killed: boolean
}

/** Runs every mutant through the kit. */
export function netKillTable(mutants: readonly NetMutant[] = NET_MUTANTS): NetKill[] {
  return mutants.map(({ name, killedBy, subject }) => {
    const failed = runNetConformance(subject).flatMap(({ title, failure }) => (failure === null ? [] : [title]))
    return { mutant: name, failed, killed: failed.includes(killedBy) }
  })
}
