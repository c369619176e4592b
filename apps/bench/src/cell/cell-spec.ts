import type { AccessorOptions, AccessorPlugin } from '@vring/accessor'
import { resolveOptions, supportsOf } from '@vring/accessor'
import { isVringError } from '@vring/layout'
import { parseAccessor, type Registry } from '@vring/registry'
import { usageError } from '../bench-error.ts'
import type { SweepKey } from '../plan/sweep-keys.ts'

/** Drivers that a cell can be measured with. */
export const DRIVERS = ['inproc', 'inproc-threads', 'testpmd'] as const
export type DriverName = (typeof DRIVERS)[number]

/** Ring formats. */
export const RINGS = ['split', 'packed'] as const
export type RingFormat = (typeof RINGS)[number]

/** The floor: the loop written out by hand. Not an accessor. */
export const BASELINE = 'baseline'

/** An accessor with its options, as an argument names it: `vmap-direct:sync=rcu:hold=access`. */
export interface AccessorChoice {
  readonly name: string
  readonly options: AccessorOptions
}

/** What one cell measures. Plain data: it goes to the cell's process. */
export interface CellSpec {
  readonly id: string
  readonly accessor: string
  /** Every option of the accessor, defaults included. */
  readonly options: AccessorOptions
  readonly ring: RingFormat
  /** VIRTIO_F_IN_ORDER is negotiated: one used element may stand for a batch. */
  readonly inOrder: boolean
  readonly driver: DriverName
  /** `NAME`, or `NAME:TEXT` of a plugin. */
  readonly backend: string
  /** Bytes of the Ethernet frame; 0 stands for the IMIX (7 x 64, 4 x 594, 1 x 1518); of recorded frames the mean. */
  readonly frameBytes: number
  /** Path of the capture whose frames the driver sends; null: it makes them. */
  readonly input: string | null
  /** Entries. */
  readonly queueSize: number
  /** Buffers that the driver publishes at once. */
  readonly batch: number
  readonly payload: 'in-place' | 'copy' | 'copy-split'
  /** A device IOTLB is on: the accessor works through one only. */
  readonly iotlb: boolean
  /** Descriptors a chain. */
  readonly chainLength: number
  /** Chains are indirect tables. */
  readonly indirect: boolean
  /** Guest-physical regions that buffers are spread over. */
  readonly regions: number
  /** Entries of the device IOTLB: three for the ring, the rest over the buffers. */
  readonly iotlbEntries: number
  /** Invalidations of the ring's pages a second. */
  readonly invalidations: number
  /** How many of the ring's areas (desc, driver, device, in this order) lie in file-backed memory: 0 to 3. */
  readonly fileBacked: number
  readonly eventIdx: boolean
  /** 1: each lfence, which JavaScript can't issue, is a locked add ({@link barrierCpu}). 0: it is nothing. */
  readonly barrier: number
  /**
   * 1: the code that ships. 0: the same sources built without what counting, tracing and speculation hook into: no-op
   * steps of the Cpu port, predict, hit counters. It shows what those cost when they are off.
   */
  readonly hooks: number
  /** Keys that the experiment varies with `--sweep`. */
  readonly swept: readonly SweepKey[]
}

/** The seed's experiment: 64-byte frames, split ring of 256, batches of 64. */
export const DEFAULT_CELL: Omit<CellSpec, 'id' | 'accessor' | 'options' | 'iotlb'> = {
  ring: 'split',
  inOrder: false,
  driver: 'inproc',
  backend: 'xdp1',
  frameBytes: 64,
  input: null,
  queueSize: 256,
  batch: 64,
  payload: 'in-place',
  chainLength: 1,
  indirect: false,
  regions: 1,
  iotlbEntries: 4,
  invalidations: 0,
  fileBacked: 0,
  eventIdx: false,
  barrier: 0,
  hooks: 1,
  swept: [],
}

/**
 * Reads `name[:option=value]...` and checks it against the registry.
 *
 * @param others names that are accepted beside accessors: {@link BASELINE} where a cell is meant
 * @throws BenchError with exit code 2
 */
export function parseAccessorChoice(text: string, registry: Registry, others: readonly string[] = []): AccessorChoice {
  try {
    return parseAccessor(text, registry, others)
  } catch (error) {
    throw isVringError(error) ? usageError('--accessor', error.message) : error
  }
}

/**
 * A cell of this accessor under these conditions, with an id that says what differs from {@link DEFAULT_CELL}. The default
 * batch shrinks to what a small ring holds.
 */
export function makeCell(
  choice: AccessorChoice,
  plugin: AccessorPlugin | null,
  conditions: Partial<Omit<CellSpec, 'id' | 'accessor' | 'options' | 'iotlb'>>,
): CellSpec {
  const cell = { ...DEFAULT_CELL, ...conditions }
  if (conditions.batch === undefined) cell.batch = Math.min(cell.batch, chainCount(cell))
  const options = Object.entries(choice.options).map(([key, value]) => `${key}=${value}`)
  const varied = Object.entries(DEFAULT_CELL)
    .filter(([key, value]) => !NAMED.has(key) && cell[key as keyof typeof cell] !== value)
    .map(([key]) => `${key}=${String(cell[key as keyof typeof cell])}`)
  const made = cell.frameBytes === 0 ? 'imix' : `${cell.frameBytes}B`
  const frame = cell.input === null ? made : fileName(cell.input)
  const id = [
    [choice.name, ...options].join(':'),
    cell.ring,
    cell.driver,
    cell.backend.replaceAll('/', '_'),
    frame,
    `q${cell.queueSize}`,
    `b${cell.batch}`,
    ...varied,
  ].join('/')
  return {
    id,
    accessor: choice.name,
    options: plugin === null ? {} : resolveOptions(plugin.name, plugin.options, choice.options),
    iotlb: plugin !== null && !supportsOf(plugin, choice.options).noIotlb,
    ...cell,
  }
}

/** Chains that a ring holds: a power of two, so that 65536 packets bring every index back to its beginning. */
export function chainCount({ queueSize, chainLength, indirect }: RingShape): number {
  return 2 ** Math.floor(Math.log2(indirect ? queueSize : queueSize / chainLength))
}

type RingShape = Pick<CellSpec, 'queueSize' | 'chainLength' | 'indirect'>

/** Fields that every id shows. */
const NAMED = new Set(['swept', 'input', 'ring', 'driver', 'backend', 'frameBytes', 'queueSize', 'batch'])

/** The last part of a path: an id is made of parts between slashes. */
function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** The accessor and what was asked of it, as people write it: the first part of an id. */
export function cellLabel(id: string): string {
  return id.slice(0, id.indexOf('/'))
}

/** Cells that differ in the accessor only: they are compared. */
export function groupKey(cell: Pick<CellSpec, 'id'>): string {
  return cell.id.slice(cell.id.indexOf('/'))
}

/** What cells that move the same frames may differ in beside the accessor, as an id has it. */
export const VARIANT_KEYS = ['ring', 'inOrder', 'barrier', 'hooks'] as const
type VariantKey = (typeof VARIANT_KEYS)[number]
export type Variant = Readonly<Record<VariantKey, string>>

/** What each is where an id does not say. */
export const USUAL_VARIANT: Variant = { ring: 'split', inOrder: 'false', barrier: '0', hooks: '1' }

/** The ring and the build of a cell, by its id. */
export function variantOf({ id }: Pick<CellSpec, 'id'>): Variant {
  const [, ring = USUAL_VARIANT.ring, ...rest] = id.split('/')
  const variant: Record<VariantKey, string> = { ...USUAL_VARIANT, ring }
  for (const part of rest) {
    const [key, value = ''] = part.split('=')
    if (isVariantKey(key)) variant[key] = value
  }
  return variant
}

/**
 * Cells that move the same frames from the same driver, with any accessor, ring or build. They run in turn, and what
 * they deliver is the same.
 */
export function turnKey({ id }: Pick<CellSpec, 'id'>): string {
  const [, , ...rest] = id.split('/')
  return rest.filter((part) => !isVariantKey(part.split('=')[0])).join('/')
}

function isVariantKey(key: string | undefined): key is VariantKey {
  return VARIANT_KEYS.some((one) => one === key)
}
