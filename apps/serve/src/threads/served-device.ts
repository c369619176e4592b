import type { AccessorOptions, AccessorPlugin } from '@vring/accessor'
import { refused } from '@vring/layout'
import type { BackendSession, Refusal, StartedVring } from '@vring/vhost-user'
import { NetDevice, type NetQueueReport } from '@vring/vhost-user-net'
import type { CaptureSpec } from '../config/capture-spec.ts'
import type { Captures } from '../datapath/captures.ts'
import type { Datapath, PairEnds } from '../datapath/datapath-ends.ts'
import { refusalLine } from '../log/refusal-line.ts'
import { addCounts, sumCounts } from '../status/counts.ts'
import { Latency } from '../status/latency.ts'
import type { PairSnapshot, SessionSnapshot, Snapshot } from '../status/snapshot.ts'

export interface ServedDeviceOptions {
  readonly accessor: AccessorPlugin
  readonly accessorOptions?: AccessorOptions
  readonly datapath: Datapath
  /** Virtio features beside those of the datapath itself. */
  readonly features: bigint
  /** See `NetDeviceOptions`. */
  readonly announce?: boolean
  /** What stands between the rings and the ends of their pairs. */
  readonly captures: Captures
  /** Number of the thread that this is, of those that have pairs of the device. Default 0. */
  readonly thread?: number
  /** Goes over to the first `count` pairs, in this thread by `own`, and in the others: all of them stand meanwhile. */
  readonly changePairs?: (count: number, own: () => void) => void
  /** Takes one line for people. */
  readonly onNote?: (line: string) => void
}

/** One round in this many is timed, a power of two: two readings of the clock cost about as much as two packets. */
const TIMED_ROUNDS = 16

/** Receive totals of a queue pair over all sessions. */
interface ReceiveTotals {
  frames: number
  bytes: number
  dropped: Record<string, number>
}

/**
 * The network device of the daemon: a {@link NetDevice} whose counts outlive the sessions, with the time that rounds take.
 */
export class ServedDevice extends NetDevice {
  private readonly datapath: Datapath
  private readonly captures: Captures
  /** Rings that run, as they were started. */
  private readonly started = new Map<number, StartedVring>()
  private readonly enabled = new Set<number>()
  /** Receive rings that take frames. */
  private readonly receiving = new Set<number>()
  private readonly received: readonly ReceiveTotals[]
  /** Frames that transmit queues dropped themselves, by pair. */
  private readonly sent: readonly Record<string, number>[]
  private readonly accesses: Record<string, number> = {}
  private readonly broken: Record<string, number> = {}
  private readonly roundTime = new Latency()
  private readonly wakeTime = new Latency()
  private notifications = 0
  private wakeups = 0
  private rounds = 0
  /** The loop went to sleep, or is about to. */
  private armed = false
  /** When it woke, ms; 0: its first frames since then were handed over. */
  private wokeAt = 0
  private session: BackendSession | null = null
  private since = 0
  private sessions = 0
  private lastError: string | null = null
  private readonly refusals: Record<string, number> = {}
  private readonly sessionEnds: Record<string, number> = {}
  private readonly note: (line: string) => void
  private readonly thread: number
  private readonly changePairs: (count: number, own: () => void) => void

  constructor(options: ServedDeviceOptions) {
    const { accessor, accessorOptions = {}, datapath, features, announce = false, captures, onNote } = options
    super({
      accessor,
      accessorOptions,
      queuePairs: datapath.pairs.length,
      backend: (pair) => captures.backend(pair),
      source: (pair) => captures.source(pair),
      features,
      announce,
    })
    this.datapath = datapath
    this.captures = captures
    this.note = onNote ?? (() => {})
    this.thread = options.thread ?? 0
    this.changePairs = options.changePairs ?? ((_count, own) => own())
    this.received = datapath.pairs.map(() => ({ frames: 0, bytes: 0, dropped: {} }))
    this.sent = datapath.pairs.map(() => ({}))
  }

  override startQueue(vring: StartedVring): void {
    this.datapath.negotiated(vring.features)
    const notify = (): void => {
      this.notifications++
      vring.notify()
    }
    const signalError = (reason: string): void => {
      addCounts(this.broken, { [reason]: 1 })
      vring.signalError(reason)
    }
    const counted = { ...vring, notify, signalError }
    super.startQueue(counted)
    this.started.set(vring.index, counted)
    this.follow(vring.index)
  }

  override setQueueEnabled(index: number, enabled: boolean): void {
    super.setQueueEnabled(index, enabled)
    if (enabled) this.enabled.add(index)
    else this.enabled.delete(index)
    this.follow(index)
  }

  protected override usePairs(count: number): void {
    this.changePairs(count, () => this.setPairs(count))
  }

  /** The driver uses the first `count` pairs. What the host sends to one that it does not use would be lost. */
  setPairs(count: number): void {
    super.usePairs(count)
    for (let index = 0; index < 2 * this.queueNum; index += 2) this.follow(index)
  }

  /** Tells the network device of a pair when its receive ring begins to take frames, and when it ends. */
  private follow(index: number): void {
    if (index % 2 !== 0 || index >>> 1 >= this.queueNum) return
    const receiving = this.started.has(index) && this.enabled.has(index) && index >>> 1 < this.activePairs
    if (receiving === this.receiving.has(index)) return
    if (receiving) this.receiving.add(index)
    else this.receiving.delete(index)
    this.datapath.setReceiving(index >>> 1, receiving)
  }

  /**
   * Begins a capture between two rounds: rings go on where they are, with it before their ends.
   *
   * @throws VringError when its file can't be created
   */
  beginCapture(spec: CaptureSpec): void {
    this.captures.begin(spec)
    this.refit()
  }

  /** Ends the captures into a file between two rounds. @returns whether there was one */
  endCapture(path: string): boolean {
    const ended = this.captures.end(path)
    if (ended) this.refit()
    return ended
  }

  /** Gives each ring that runs the ends that its pair has now. */
  private refit(): void {
    for (const [index, vring] of this.started) {
      const enabled = this.enabled.has(index)
      super.startQueue({ ...vring, base: this.halt(index) })
      super.setQueueEnabled(index, enabled)
    }
  }

  override stopQueue(index: number): number {
    this.started.delete(index)
    this.enabled.delete(index)
    const nextAvail = this.halt(index)
    this.follow(index)
    return nextAvail
  }

  /** Stops a ring; what it counted is kept. */
  private halt(index: number): number {
    const last = this.report().find((one) => one.index === index)
    const base = super.stopQueue(index)
    if (last !== undefined) this.keep(last)
    return base
  }

  override serveQueue(index: number): number {
    if (this.wokeAt === 0 && (++this.rounds & (TIMED_ROUNDS - 1)) !== 0) return super.serveQueue(index)
    return this.timedRound(index)
  }

  override armQueue(index: number): boolean {
    this.armed = true
    this.datapath.idle()
    this.captures.sync()
    return super.armQueue(index)
  }

  /**
   * What a frontend tells its driver has to fit through the device.
   *
   * @throws VringError ERR_OUT_OF_RANGE: the frontend is told, and does not start its driver with it
   */
  setMtu(mtu: number): void {
    const most = this.datapath.mtu()
    if (mtu > most) throw refused('ERR_OUT_OF_RANGE', 'mtu', mtu, `at most ${most}, the MTU of the device`)
  }

  reset(): void {
    this.datapath.sessionEnded()
    this.captures.sync()
  }

  /** The loop looks around: after each sleep, and now and then while packets flow. */
  awake(): void {
    if (this.armed !== true) return
    this.armed = false
    this.wakeups++
    this.wokeAt = performance.now()
  }

  opened(session: BackendSession): void {
    this.session = session
    this.since = Date.now()
    this.sessions++
  }

  /** A request of the driver's was refused: told, and counted by its name and by what comes of it. */
  refused(refusal: Refusal): void {
    addCounts(this.refusals, { [`${refusal.request ?? 'unknown'}.${refusal.ends}`]: 1 })
    const line = refusalLine(refusal)
    if (line !== null) this.note(line)
  }

  closed(session: BackendSession): void {
    this.session = null
    addCounts(this.sessionEnds, { [endOf(session)]: 1 })
    if (session.error !== null) this.lastError = session.error.message
  }

  snapshot(): Snapshot {
    const reports = this.report()
    const accesses = { ...this.accesses }
    for (const one of reports) addCounts(accesses, one.accesses)
    return {
      session: this.session === null ? null : describeSession(this.session, this.since),
      sessions: this.sessions,
      lastError: this.lastError,
      sessionEnds: { ...this.sessionEnds },
      refusals: { ...this.refusals },
      pairs: this.datapath.pairs.map((ends, pair) => this.pairSnapshot(ends, pair, reports)),
      captures: this.captures.snapshot(),
      verdicts: this.datapath.verdicts(),
      programCounts: this.datapath.programCounts(),
      queues: reports.map(({ index, broken: reason }) => ({
        index,
        broken: reason,
        size: this.started.get(index)?.ring.queueSize ?? 0,
        enabled: this.enabled.has(index),
      })),
      broken: { ...this.broken },
      accesses,
      notifications: this.notifications,
      wakeups: this.wakeups,
      threads: [
        {
          ...{ thread: this.thread, notifications: this.notifications, wakeups: this.wakeups },
          ...{ round: this.roundTime.snapshot(), wakeToBackend: this.wakeTime.snapshot() },
        },
      ],
    }
  }

  private timedRound(index: number): number {
    const start = performance.now()
    const packets = super.serveQueue(index)
    if (packets === 0) return 0
    const end = performance.now()
    this.roundTime.record(end - start)
    // Odd queues are the driver's transmit queues.
    if (this.wokeAt > 0 && index % 2 === 1) {
      this.wakeTime.record(end - this.wokeAt)
      this.wokeAt = 0
    }
    return packets
  }

  /** Takes over what a queue has done when it goes. */
  private keep({ index, accesses, delivered, dropped }: NetQueueReport): void {
    addCounts(this.accesses, accesses)
    const pair = index >>> 1
    if (index % 2 === 1) {
      addCounts(this.sent[pair]!, dropped)
      return
    }
    const total = this.received[pair]!
    total.frames += delivered?.frames ?? 0
    total.bytes += delivered?.bytes ?? 0
    addCounts(total.dropped, dropped)
  }

  private pairSnapshot(ends: PairEnds, pair: number, reports: readonly NetQueueReport[]): PairSnapshot {
    const { txFrames, txBytes, txDropped } = ends.backend.counters
    const receive = reports.find(({ index }) => index === 2 * pair)
    const transmit = reports.find(({ index }) => index === 2 * pair + 1)
    const total = this.received[pair]!
    return {
      backend: ends.backend.name,
      gone: ends.gone(),
      txFrames,
      txBytes,
      txDropped: sumCounts(sumCounts(txDropped, this.sent[pair]!), transmit?.dropped ?? {}),
      rxFrames: total.frames + (receive?.delivered?.frames ?? 0),
      rxBytes: total.bytes + (receive?.delivered?.bytes ?? 0),
      rxDropped: sumCounts(sumCounts(ends.rxDropped(), total.dropped), receive?.dropped ?? {}),
    }
  }
}

/** Why a session ended, by kind. */
function endOf({ error }: BackendSession): string {
  if (error === null) return 'hang-up'
  if (error.field === 'thread') return 'thread'
  if (error.field === 'memory' && error.code === 'ERR_SYSTEM') return 'memory'
  return error.code === 'ERR_SYSTEM' ? 'system' : 'refused'
}

function describeSession(session: BackendSession, since: number): SessionSnapshot {
  return {
    since,
    features: `0x${session.features.toString(16)}`,
    memoryBytes: session.memory.regions.reduce((sum, { size }) => sum + size, 0),
    refusals: session.refusals,
  }
}
