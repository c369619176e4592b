import { type AccessorOptions, type AccessorPlugin, supportsOf } from '@vring/accessor'
import { DeviceIotlb } from '@vring/iotlb'
import {
  AREAS,
  type Area,
  featureSet,
  packedRingAreas,
  splitRingAreas,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_PACKED,
} from '@vring/layout'
import { ACCESS_READ, GuestMap, PAGE_BYTES, PagedSpace } from '@vring/memory'
import { ChainBatch, createDeviceQueue } from '@vring/virtqueue'
import { probeHooks } from './hook-probe.ts'
import { HOSTILE_RINGS, type HostileRing } from './hostile-rings.ts'
import { PathSearch, type SpeculationFinding } from './path-search.ts'
import { type PathPlan, SpeculatingCpu } from './speculating-cpu.ts'
import { type KnownRange, SpeculativeSpace } from './speculative-space.ts'
import { probeValues, probeWindows, type UnseenGuard, type WindowProbe } from './window-probe.ts'

/** How far the checker looks. */
export interface SpeculateOptions {
  /** Option values of the accessor. */
  readonly options?: AccessorOptions
  /** `none`: the ring does not mask what the driver gives as an index, as in 2019. Default `mask`, as it ships. */
  readonly nospec?: 'mask' | 'none'
  /** Mispredicted branches on one path; default 2. */
  readonly depth?: number
  /** Port operations that execute transiently after the first misprediction; default 64. */
  readonly window?: number
}

/** What the checker found. */
export interface SpeculationReport {
  readonly accessor: string
  readonly options: AccessorOptions
  /** `mask`: the ring that ships. `none`: the ring of 2019, which does not mask what the driver gives as an index. */
  readonly nospec: 'mask' | 'none'
  /** `not-shown`: nothing was found, and something that was relied on can't be seen; see {@link unseen}. */
  readonly verdict: 'clear' | 'flagged' | 'not-shown'
  readonly findings: readonly SpeculationFinding[]
  /** What was relied on and can't be seen, such as a plain `if` that keeps an offset inside its area. */
  readonly unseen: readonly UnseenGuard[]
  /** Paths that were executed, and how many of them mispredicted something. */
  readonly paths: number
  readonly mispredictedPaths: number
  /** Transient loads of user memory that is neither ring nor buffer: no finding, see {@link SPECULATION_LIMITS}. */
  readonly strayUserLoads: number
  readonly depth: number
  readonly window: number
  /** What the verdict does not say. */
  readonly limits: readonly string[]
}

/** What a verdict of this checker can't say about hardware. Part of every report. */
export const SPECULATION_LIMITS: readonly string[] = [
  'Its contract is CT-COND: an attacker observes the addresses of loads and stores and the outcomes of branches, and conditional branches are mispredicted (Spectre v1). Only branches that the code names with predict are.',
  'Indirect branches and returns (v2, RSB), store bypass (v4), value prediction and straight-line speculation are not modelled, and no operand whose value changes how long an instruction takes.',
  'A transient store out of bounds (v1.1) is observed by its address, and is no finding of its own.',
  'A transient fault gives the program its errno; what a processor forwards from a faulting load (Meltdown, L1TF, MDS) is not modelled.',
  'User memory is not taken to be secret: a transient load of it outside the ring is counted, not flagged, as the kernel does. Other memory is, unless the program itself loaded or stored it before the misprediction.',
  'Secrets are three values of 32 bits: code in which all three make the same observations passes.',
  'A plain if, and any other arithmetic that goes past the port, can not be mispredicted. Windows are asked with offsets out of range, and windows, holds and both ends of a round with words of different values in the ring; where the accesses differ without mask, fence, named branch or walk, the verdict is not shown. A plain if on anything else, such as what an IOTLB or an option says, is not seen at all.',
  'Reads of memory that go past the port are not seen.',
  'The window is a number of accesses, not a reorder buffer; lfence is taken to stop it at once, stac and clac not at all.',
  'Paths begin at the rings of HOSTILE_RINGS, one round each, and mispredict up to depth branches; a path ends with its first squash and does not go on architecturally.',
  'JavaScript issues none of these instructions: the verdict is about the algorithm above the Cpu port, not about what V8 makes of it.',
]

const QUEUE_SIZE = 256
const BUFFER_BYTES = PAGE_BYTES
const GUEST_BUFFERS = 0x10000
/** As far as a descriptor index of 16 bits reaches. */
const STRAY_BYTES = 2 ** 20
/** Where a device starts: with a packed ring, in the first lap. */
const BASE = { split: 0, packed: 0x8000 }
const FORMATS = ['split', 'packed'] as const
/**
 * Runs the device's side of a queue over an accessor while branches are mispredicted, on rings whose indices a hostile
 * driver chose. It reports every transient load that leaves its object and every secret that reaches an address.
 *
 * Each path runs the shipped ring and accessor code from the start in a fresh world. Whether a secret can be observed is
 * decided by running each path that was given one with others: no address and no branch may differ.
 *
 * Then each window is asked directly, with offsets that a mispredicted check let through. What keeps them inside their
 * area must be something that the port sees.
 */
export function speculate(plugin: AccessorPlugin, options: SpeculateOptions = {}): SpeculationReport {
  const { depth = 2, window = 64, nospec = 'mask' } = options
  const accessorOptions = options.options ?? {}
  const search = new PathSearch(depth, window)
  const leases: LeaseWatch = { given: false, held: 0 }
  const idle: UnseenGuard[] = []
  for (const ring of HOSTILE_RINGS) {
    let loads = 0
    search.follow(ring.name, (plan) => {
      const cpu = runPath(plugin, accessorOptions, ring, plan, nospec, { leases })
      loads += cpu.loads
      return cpu
    })
    if (loads === 0)
      idle.push({ kind: 'idle', window: 'driver', access: 'round', detail: `ring: ${ring.name}; nothing was loaded` })
  }
  if (leases.given && leases.held === 0)
    idle.push({ kind: 'idle', window: 'desc', access: 'hold', detail: 'the lease was held for no ring' })
  const { findings, paths, mispredictedPaths, strayUserLoads } = search
  const unseen = [...idle, ...probes(plugin, accessorOptions, nospec)]
  return {
    accessor: plugin.name,
    options: accessorOptions,
    nospec,
    verdict: findings.length > 0 ? 'flagged' : unseen.length > 0 ? 'not-shown' : 'clear',
    findings,
    unseen,
    paths,
    mispredictedPaths,
    strayUserLoads,
    depth,
    window,
    limits: SPECULATION_LIMITS,
  }
}

/** What is asked of the windows and hooks of an accessor, over a ring of each format; the same answer is given once. */
function probes(plugin: AccessorPlugin, options: AccessorOptions, nospec: 'mask' | 'none'): UnseenGuard[] {
  const unseen = new Map<string, UnseenGuard>()
  for (const format of FORMATS) {
    const ring = HOSTILE_RINGS.find((one) => one.format === format)!
    const probed = (plan: PathPlan, probe: WindowProbe): SpeculatingCpu =>
      runPath(plugin, options, ring, plan, nospec, { probe })
    for (const guard of [...probeWindows(probed), ...probeValues(probed), ...probeHooks(probed)]) {
      const key = `${guard.kind} ${guard.window}.${guard.access}`
      if (!unseen.has(key)) unseen.set(key, guard)
    }
  }
  return [...unseen.values()]
}

/** Was there a lease, and how often was it held? */
interface LeaseWatch {
  given: boolean
  held: number
}

/** One path in a fresh world: one TX round of a device, payload looked up as the datapath does. */
function runPath(
  plugin: AccessorPlugin,
  options: AccessorOptions,
  hostile: HostileRing,
  plan: PathPlan,
  nospec: 'mask' | 'none',
  watch: { readonly probe?: WindowProbe; readonly leases?: LeaseWatch } = {},
): SpeculatingCpu {
  const paged = new PagedSpace({ frames: 32 })
  const map = (length: number): number =>
    paged.mmap({ length: PAGE_BYTES * Math.ceil(length / PAGE_BYTES), populate: true })
  const buffers = map(BUFFER_BYTES)
  const desc = map(PAGE_BYTES)
  // Memory of the process that the ring does not own: where a descriptor index out of range leads.
  paged.mmap({ length: STRAY_BYTES })
  const areas = hostile.format === 'packed' ? packedRingAreas : splitRingAreas
  const ring = areas(QUEUE_SIZE, false, desc, map(PAGE_BYTES), map(PAGE_BYTES))
  hostile.write({
    desc: (offset, ...words) => paged.write(ring.desc.address + offset, bytesOf(Uint32Array.from(words))),
    avail16: (offset, value) => paged.write(ring.driver.address + offset, bytesOf(Uint16Array.of(value))),
    buffer: (offset, ...words) => paged.write(buffers + offset, bytesOf(Uint32Array.from(words))),
    bufferAddress: GUEST_BUFFERS,
  })

  const known: KnownRange[] = AREAS.map((name) => ({ name, address: ring[name].address, length: ring[name].length }))
  known.push({ name: 'buffers', address: buffers, length: BUFFER_BYTES })
  const space = new SpeculativeSpace(paged, known)
  const cpu = new SpeculatingCpu(plan, space)
  const iotlb = supportsOf(plugin, options).noIotlb ? null : new DeviceIotlb()
  for (const area of AREAS) iotlb?.update(ring[area].address, ring[area].length, ring[area].address, 3)
  const accessor = plugin.create({ cpu, space, ring, iotlb }, options)
  const { probe, leases } = watch
  const { lease } = accessor
  if (leases !== undefined && lease !== null) {
    leases.given = true
    const hold = lease.hold.bind(lease)
    lease.hold = () => {
      const held = hold()
      if (held) leases.held++
      return held
    }
  }
  const guest = new GuestMap(space, [{ guestAddress: GUEST_BUFFERS, length: BUFFER_BYTES, userAddress: buffers }])
  const packed = hostile.format === 'packed'
  const features = featureSet(VIRTIO_F_INDIRECT_DESC, ...(packed ? [VIRTIO_F_RING_PACKED] : []))
  const queue = createDeviceQueue({ accessor, cpu, ring, features, buffers: guest, nospec })
  const batch = new ChainBatch(QUEUE_SIZE)
  const fill = (area: Area, value: number): void =>
    paged.write(ring[area].address, bytesOf(new Uint16Array(ring[area].length >>> 1).fill(value)))
  cpu.run(() => {
    if (probe !== undefined) return probe(accessor, cpu, ring, fill)
    accessor.beginRound()
    queue.start(BASE[hostile.format])
    for (let taken = queue.popBatch(batch, 64); taken > 0; taken = queue.popBatch(batch, 64)) {
      for (let segment = 0; segment < batch.segStart[taken]!; segment++) {
        const length = Math.min(batch.length[segment]!, 64)
        const at = cpu.translate(guest, batch.address[segment]!, length, ACCESS_READ)
        if (at >= 0) cpu.load16(guest.view.u16, at >>> 1)
      }
      queue.useBatch(batch, taken)
    }
    queue.needsNotification()
    accessor.endRound()
  })
  accessor.close()
  return cpu
}

function bytesOf(words: Uint32Array | Uint16Array): Uint8Array {
  return new Uint8Array(words.buffer)
}
