import type { AccessorOptions, AccessorPlugin } from '@vring/accessor'
import { DeviceIotlb } from '@vring/iotlb'
import {
  AREAS,
  type Area,
  availRingBytes,
  DESC_BYTES,
  descTableBytes,
  featureSet,
  splitRingAreas,
  usedRingBytes,
  VIRTIO_F_INDIRECT_DESC,
} from '@vring/layout'
import { ACCESS_READ, GuestMap, PAGE_BYTES, PagedSpace } from '@vring/memory'
import { ChainBatch, createDeviceQueue } from '@vring/virtqueue'
import { HOSTILE_RINGS, type HostileRing } from './hostile-rings.ts'
import { type LeakKind, type PathPlan, SpeculatingCpu, type TransientLoad } from './speculating-cpu.ts'
import { type KnownRange, SpeculativeSpace } from './speculative-space.ts'

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

/** One way to mislead the accessor; the shortest path of each kind at each branch is kept. */
export interface SpeculationFinding {
  readonly kind: LeakKind
  /** The ring that the driver prepared. */
  readonly ring: string
  /** Functions whose branches were mispredicted, in order. */
  readonly branches: readonly string[]
  /** For people: what was loaded, or which addresses differed. */
  readonly detail: string
}

/** What the checker found. */
export interface SpeculationReport {
  readonly accessor: string
  readonly options: AccessorOptions
  /** `mask`: the ring that ships. `none`: the ring of 2019, which does not mask what the driver gives as an index. */
  readonly nospec: 'mask' | 'none'
  readonly verdict: 'clear' | 'flagged'
  readonly findings: readonly SpeculationFinding[]
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
  'It models one thing: conditional branches that the code names with predict, mispredicted (Spectre v1). Indirect branches, returns, store bypass and value injection are not modelled.',
  'A transient fault gives the program its errno; what a processor forwards from a faulting load (Meltdown, L1TF, MDS) is not modelled.',
  'User memory is not taken to be secret: a transient load of it outside the ring is counted, not flagged, as the kernel does.',
  'The window is a number of accesses, not a reorder buffer; lfence is taken to stop it at once, stac and clac not at all.',
  'JavaScript issues none of these instructions: the verdict is about the algorithm above the Cpu port, not about what V8 makes of it.',
]

const QUEUE_SIZE = 256
const BUFFER_BYTES = PAGE_BYTES
const GUEST_BUFFERS = 0x10000
/** As far as a 16-bit descriptor index reaches. */
const STRAY_BYTES = 65536 * DESC_BYTES
/** Two words that differ in every field a device reads: bits of flags stay NEXT, so that chains go on. */
const SECRETS: readonly (readonly number[])[] = [[0x0003_0001], [0x0005_0001], [0x0001_4000]]

/**
 * Runs the device's side of a queue over an accessor while branches are mispredicted, on rings whose indices a hostile
 * driver chose, and reports every transient load that leaves its object and every secret that reaches an address.
 *
 * Each path runs the shipped ring and accessor code from the start in a fresh world. Whether a secret reached an address
 * is decided by running the path with two secrets: the addresses must not differ.
 */
export function speculate(plugin: AccessorPlugin, options: SpeculateOptions = {}): SpeculationReport {
  const { depth = 2, window = 64, nospec = 'mask' } = options
  const accessorOptions = options.options ?? {}
  const findings = new Map<string, SpeculationFinding>()
  let paths = 0
  let mispredictedPaths = 0
  let strayUserLoads = 0

  const note = (kind: LeakKind, ring: HostileRing, cpu: SpeculatingCpu, plan: PathPlan, detail: string): void => {
    const branches = plan.mispredict.map((ordinal) => cpu.branches[ordinal] ?? 'unknown')
    const key = `${kind}|${ring.name}|${branches[0]}`
    const known = findings.get(key)
    if (known === undefined || known.branches.length > branches.length)
      findings.set(key, { kind, ring: ring.name, branches, detail })
  }

  const explore = (ring: HostileRing, mispredict: readonly number[]): void => {
    const plan: PathPlan = { mispredict, window, secret: SECRETS[0]! }
    const cpu = runPath(plugin, accessorOptions, ring, plan, nospec)
    paths++
    if (cpu.transientFrom >= 0) mispredictedPaths++
    strayUserLoads += cpu.strayUserLoads
    for (const leak of cpu.leaks) note(leak.kind, ring, cpu, plan, describeLoad(leak))
    if (cpu.leaks.length > 0)
      for (const secret of SECRETS.slice(1)) {
        const other = runPath(plugin, accessorOptions, ring, { ...plan, secret }, nospec)
        const difference = firstDifference(cpu.addresses, other.addresses)
        if (difference !== null) note('secret-reached-address', ring, cpu, plan, difference)
      }
    if (mispredict.length === depth) return
    for (let next = (mispredict.at(-1) ?? -1) + 1; next < cpu.branches.length; next++)
      explore(ring, [...mispredict, next])
  }

  for (const ring of HOSTILE_RINGS) explore(ring, [])
  return {
    accessor: plugin.name,
    options: accessorOptions,
    nospec,
    verdict: findings.size === 0 ? 'clear' : 'flagged',
    findings: [...findings.values()],
    paths,
    mispredictedPaths,
    strayUserLoads,
    depth,
    window,
    limits: SPECULATION_LIMITS,
  }
}

/** One path in a fresh world: one TX round of a device, payload looked up as the datapath does. */
function runPath(
  plugin: AccessorPlugin,
  options: AccessorOptions,
  hostile: HostileRing,
  plan: PathPlan,
  nospec: 'mask' | 'none',
): SpeculatingCpu {
  const paged = new PagedSpace({ frames: 32 })
  const lengths: Record<Area, number> = {
    desc: descTableBytes(QUEUE_SIZE),
    driver: availRingBytes(QUEUE_SIZE, false),
    device: usedRingBytes(QUEUE_SIZE, false),
  }
  const map = (length: number): number =>
    paged.mmap({ length: PAGE_BYTES * Math.ceil(length / PAGE_BYTES), populate: true })
  const buffers = map(BUFFER_BYTES)
  const desc = map(lengths.desc)
  // Memory of the process that is nobody's business: where a descriptor index out of range leads.
  paged.mmap({ length: STRAY_BYTES })
  const addresses: Record<Area, number> = { desc, driver: map(lengths.driver), device: map(lengths.device) }
  hostile.write({
    desc: (offset, ...words) => paged.write(addresses.desc + offset, bytesOf(Uint32Array.from(words))),
    avail16: (offset, value) => paged.write(addresses.driver + offset, bytesOf(Uint16Array.of(value))),
    buffer: (offset, ...words) => paged.write(buffers + offset, bytesOf(Uint32Array.from(words))),
    bufferAddress: GUEST_BUFFERS,
  })

  const known: KnownRange[] = AREAS.map((name) => ({ name, address: addresses[name], length: lengths[name] }))
  known.push({ name: 'buffers', address: buffers, length: BUFFER_BYTES })
  const space = new SpeculativeSpace(paged, known)
  const cpu = new SpeculatingCpu(plan, space)
  const iotlb = plugin.supports.noIotlb ? null : new DeviceIotlb()
  for (const area of AREAS) iotlb?.update(addresses[area], lengths[area], addresses[area], 3)
  const ring = splitRingAreas(QUEUE_SIZE, false, addresses.desc, addresses.driver, addresses.device)
  const accessor = plugin.create({ cpu, space, ring, iotlb }, options)
  const guest = new GuestMap(space, [{ guestAddress: GUEST_BUFFERS, length: BUFFER_BYTES, userAddress: buffers }])
  const features = featureSet(VIRTIO_F_INDIRECT_DESC)
  const queue = createDeviceQueue({ accessor, cpu, ring, features, buffers: guest, nospec })
  const batch = new ChainBatch(QUEUE_SIZE)
  cpu.run(() => {
    accessor.beginRound()
    queue.start(0)
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

function describeLoad({ object, offset, length }: TransientLoad): string {
  const at = offset < 0 ? `${-offset} bytes before` : `at byte ${offset} of`
  return `${length}-byte load ${at} the ${object}`
}

/** The first address at which two runs differ, for people; null when they do not. */
function firstDifference(a: readonly string[], b: readonly string[]): string | null {
  const length = Math.max(a.length, b.length)
  for (let i = 0; i < length; i++)
    if (a[i] !== b[i]) return `with one secret ${a[i] ?? 'no further access'}, with another ${b[i] ?? 'none'}`
  return null
}
