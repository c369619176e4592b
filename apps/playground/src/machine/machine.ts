import type { Accessor } from '@vring/accessor'
import { delegate } from '@vring/conformance'
import { DeviceIotlb, IotlbBufferMap } from '@vring/iotlb'
import { EXDEV, isVringError } from '@vring/layout'
import { GuestMap, PAGE_BYTES, PagedSpace } from '@vring/memory'
import type { MmuNotifierRange } from '@vring/mmu-notifier'
import { TxRound, XdpBackend } from '@vring/vhost-net'
import { createDeviceQueue, createDriverQueue, type DeviceQueue, type DriverQueue } from '@vring/virtqueue'
import { normalizeVerdict, XDP_VERDICT_NAMES, Xdp1 } from '@vring/xdp'
import { accessorNamed, needsIotlb } from './accessors.ts'
import type { AccessorChoice, Action, ConcurrentAction, Injection } from './action.ts'
import { DriverActions } from './driver-actions.ts'
import { performIommuAction } from './iommu-actions.ts'
import {
  featuresOf,
  GUEST_BASE,
  GUEST_PAGES,
  REGIONS,
  type RingFormat,
  ringAt,
  USER_BASE,
  userRange,
} from './layout.ts'
import { type Backing, MEMORY_EVENTS } from './memory-events.ts'
import type { Happening, Moment } from './moment.ts'
import { narrateAccess, narrateBuffers, narrateNotifier, type ResolvedRange } from './narrate.ts'
import { SectionCpu } from './section-cpu.ts'
import { MemoryObserver, type Totals } from './snapshot.ts'
import { SwitchedMap } from './switched-map.ts'
import { tracedAccessor } from './traced-accessor.ts'

/** What a {@link Machine} begins with. */
export interface MachineOptions {
  readonly accessor: AccessorChoice
  readonly backing: Backing
  /** Default split. */
  readonly ring?: RingFormat
}

/** Frames of the machine: enough for copies after forks and migrations. */
const FRAMES = 256

/**
 * A guest with one transmit queue, the process that runs it, and the kernel below. Driver, ring, accessor, datapath and
 * paged memory are those of the packages. Everything that happens is noted as a {@link Moment}. It runs the same way
 * every time, so a list of actions is all that has to be remembered.
 */
export class Machine {
  readonly moments: Moment[] = []
  /** Index of the last moment of each injection that has happened. */
  readonly ends: Map<Injection, number> = new Map()
  readonly #cpu = new SectionCpu()
  readonly #payloadCpu = new SectionCpu()
  readonly #backing: Backing
  readonly #format: RingFormat
  readonly #space: PagedSpace
  readonly #guest: GuestMap
  readonly #observer = new MemoryObserver()
  readonly #buffers: SwitchedMap
  readonly #program = new Xdp1()
  readonly #backend = new XdpBackend(this.#program)
  #iotlb: DeviceIotlb | null = null
  #accessor!: Accessor
  #choice: AccessorChoice
  #driver!: DriverQueue
  #actions!: DriverActions
  #device!: DeviceQueue
  #tx!: TxRound
  /** Accesses by area and mode, as traced. */
  readonly #accesses: Record<string, number> = {}
  #notifications = 0
  #lastRound: Totals['lastRound'] = null
  /** Ranges that were resolved under stac, until the access to them is over. */
  #resolved: ResolvedRange[] = []
  #action = -1
  #injections: readonly Injection[] = []
  #hooks = 0
  #injected = 0
  /** What runs now is not the device. */
  #concurrent = false

  constructor({ accessor, backing, ring = 'split' }: MachineOptions) {
    const cpu = this.#cpu
    const payloadCpu = this.#payloadCpu
    const smap = {
      get ac(): boolean {
        return cpu.ac || payloadCpu.ac
      },
    }
    this.#backing = backing
    this.#format = ring
    this.#space = new PagedSpace({ frames: FRAMES, smap })
    for (const { name } of REGIONS) this.#space.mmap({ ...userRange(name), kind: backing, populate: true })
    this.#space.notifiers.register({
      name: 'playground',
      invalidateRangeStart: (range) => {
        this.#noteNotifier('start', range)
        return 0
      },
      invalidateRangeEnd: (range) => this.#noteNotifier('end', range),
    })
    const region = { guestAddress: GUEST_BASE, userAddress: USER_BASE, length: GUEST_PAGES * PAGE_BYTES }
    this.#guest = new GuestMap(this.#space, [region])
    this.#buffers = new SwitchedMap(this.#guest, (address, length, _access, status) => {
      // A range that lies in pieces is resolved again, piece by piece.
      if (status !== EXDEV) this.#resolved.push({ address, length, status })
    })
    cpu.onClose(() => this.#closeSection())
    payloadCpu.onClose(() => this.#closeSection())
    this.#choice = accessor
    this.#setUp()
    this.#note({ actor: 'control', title: `the device begins with ${accessor.name}` })
  }

  /** Does one thing, and everything that follows from it. */
  perform(action: Action): void {
    this.#action++
    this.#hooks = 0
    this.#injected = 0
    switch (action.kind) {
      case 'round':
        this.#round(action.injections)
        break
      case 'switch':
        this.#switch(action.accessor)
        break
      case 'set-up':
        this.#setUpAgain()
        break
      default:
        this.#concurrently(action)
    }
  }

  /** An invalidation in which an access runs (a fault that copies a page) leaves the steps to that access. */
  #noteNotifier(phase: 'start' | 'end', range: MmuNotifierRange): void {
    const steps = this.#concurrent ? this.#cpu.takeSteps() : []
    this.#note({ ...narrateNotifier(phase, range), steps })
  }

  /** Driver, kernel or IOMMU, at any moment. */
  #concurrently(action: ConcurrentAction): void {
    this.#concurrent = true
    try {
      this.#attempt(action)
    } catch (error) {
      // What a process or a kernel refuses to do is part of the story; anything else is a bug of this page.
      if (!isVringError(error)) throw error
      this.#note({ actor: action.kind === 'memory' ? 'kernel' : 'driver', title: error.message, fault: true })
    } finally {
      this.#concurrent = false
      this.#cpu.takeSteps()
    }
  }

  #attempt(action: ConcurrentAction): void {
    switch (action.kind) {
      case 'memory': {
        const { title, description, everywhere, run } = MEMORY_EVENTS[action.event]
        run(this.#space, userRange(action.region), this.#backing)
        this.#note({ actor: 'kernel', title: everywhere ? title : `${title}: ${action.region}`, detail: description })
        break
      }
      case 'answer-misses':
      case 'translate-all':
      case 'iotlb-invalidate':
        this.#note(performIommuAction(action, this.#iotlb))
        break
      default:
        this.#note(this.#actions.perform(action))
    }
  }

  #round(injections: readonly Injection[]): void {
    this.#injections = injections
    const before = [...this.#backend.verdicts]
    const packets = this.#tx.run()
    this.#lastRound = this.#tx.end
    const verdicts = XDP_VERDICT_NAMES.flatMap((name, verdict) => {
      const count = this.#backend.verdicts[normalizeVerdict(verdict)]! - before[verdict]!
      return count > 0 ? [`${name} ${count}`] : []
    })
    const broken = this.#device.broken
    this.#note({
      actor: 'device',
      title: `the round ends: ${this.#tx.end}${broken === null ? '' : `, ${broken}`}`,
      detail: `${packets} ${packets === 1 ? 'packet' : 'packets'}${verdicts.length > 0 ? `; xdp1 says ${verdicts.join(', ')}` : ''}`,
      fault: broken !== null,
      steps: this.#cpu.takeSteps(),
    })
    this.#injections = []
  }

  #switch(choice: AccessorChoice): void {
    const before = this.#choice
    try {
      this.#choice = choice
      const next = this.#createAccessor()
      const { base } = this.#device
      this.#accessor.close()
      this.#serveBy(next)
      next.beginRound()
      this.#device.start(base)
      next.endRound()
      this.#note({
        actor: 'control',
        title: `${choice.name} takes the queue over from ${before.name}`,
        detail: 'at the place where the other one was: the ring does not notice',
      })
    } catch (error) {
      if (!isVringError(error)) throw error
      this.#choice = before
      this.#note({ actor: 'control', title: error.message, fault: true })
    }
  }

  /** A new driver on an empty ring, whatever became of the old one. */
  #setUpAgain(): void {
    this.#accessor.close()
    for (const { name } of REGIONS) {
      const { address, length } = userRange(name)
      this.#space.munmap(address, length)
      this.#space.mmap({ address, length, kind: this.#backing, populate: true })
    }
    this.#setUp()
    this.#note({ actor: 'control', title: 'driver and device set the ring up again' })
  }

  #setUp(): void {
    const ring = ringAt(GUEST_BASE, this.#format)
    const memory = new GuestMap(this.#space.userMode, this.#guest.regions)
    this.#driver = createDriverQueue({ ring, memory, features: featuresOf(this.#format) })
    this.#driver.setNotification(true)
    this.#actions = new DriverActions(this.#driver, this.#format, this.#space, memory)
    this.#serveBy(this.#createAccessor())
    this.#cpu.takeSteps()
  }

  /** A queue and a round over an accessor. */
  #serveBy(accessor: Accessor): void {
    this.#accessor = accessor
    this.#device = createDeviceQueue({
      accessor,
      cpu: this.#cpu,
      ring: ringAt(GUEST_BASE, this.#format),
      features: featuresOf(this.#format),
      buffers: this.#buffers,
    })
    this.#tx = new TxRound({
      queue: this.#device,
      buffers: this.#buffers,
      backend: this.#backend,
      cpu: this.#payloadCpu,
      features: featuresOf(this.#format),
      payload: 'copy-split',
      notify: () => {
        this.#notifications++
        this.#pass({ actor: 'device', title: 'notifies the driver', detail: 'its event suppression asked for it' })
      },
    })
  }

  /** The chosen accessor over this ring, with a hook after each access. */
  #createAccessor(): Accessor {
    const plugin = accessorNamed(this.#choice.name)
    const translated = needsIotlb(plugin)
    const iotlb = translated ? (this.#iotlb ?? new DeviceIotlb()) : null
    const created = plugin.create(
      { cpu: this.#cpu, space: this.#space, ring: ringAt(translated ? GUEST_BASE : USER_BASE, this.#format), iotlb },
      this.#choice.options,
    )
    this.#iotlb = iotlb
    this.#buffers.target = iotlb === null ? this.#guest : new IotlbBufferMap(iotlb, this.#space)
    const traced = tracedAccessor(created, (trace) => {
      const key = `${trace.area}: ${trace.mode}`
      this.#accesses[key] = (this.#accesses[key] ?? 0) + 1
      this.#pass({ ...narrateAccess(trace, this.#format), steps: this.#cpu.takeSteps() })
    })
    return delegate(traced, {
      beginRound: () => {
        const status = traced.beginRound()
        const ready = status === 'ready'
        this.#pass({
          actor: 'device',
          title: ready ? 'begins a round' : 'begins a round: a translation is missing',
          detail: ready ? 'metadata prefetch is done' : 'the IOMMU was asked; answer, and run the round again',
          fault: !ready,
          steps: this.#cpu.takeSteps(),
        })
        return status
      },
    })
  }

  /** User memory is closed: if an access to a buffer was open, it is over. */
  #closeSection(): void {
    if (this.#resolved.length === 0) return
    const happening = narrateBuffers(this.#resolved)
    this.#resolved = []
    const steps = [...this.#cpu.takeSteps(), ...this.#payloadCpu.takeSteps()]
    this.#pass({ ...happening, steps })
  }

  /** Notes one thing of a round; what the script has for the place after it happens now. */
  #pass(happening: Happening): void {
    this.#hooks++
    this.#note(happening)
    for (const injection of this.#injections) {
      if (injection.after !== this.#hooks) continue
      this.#injected++
      this.#concurrently(injection.action)
      this.ends.set(injection, this.moments.length - 1)
    }
  }

  #note(happening: Happening): void {
    // Before the first accessor there is nothing to look at.
    if (this.#tx === undefined) return
    this.moments.push({
      ...happening,
      action: this.#action,
      hooks: this.#hooks,
      injected: this.#injected,
      snapshot: this.#observer.observe({
        space: this.#space,
        iotlb: this.#iotlb,
        format: this.#format,
        accessor: this.#choice,
        device: this.#device,
        driver: this.#driver,
        totals: {
          packets: this.#backend.counters.txFrames,
          notifications: this.#notifications,
          lastRound: this.#lastRound,
          metadata: { ...this.#cpu.steps },
          payload: { ...this.#payloadCpu.steps },
          accesses: { ...this.#accesses },
          verdicts: [...this.#backend.verdicts],
        },
      }),
    })
  }
}
