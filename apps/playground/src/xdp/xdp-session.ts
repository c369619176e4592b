import {
  type EbpfMap,
  loadStepper,
  type ProgramStepper,
  REGION_MAP_OBJECTS,
  REGION_MAP_VALUES,
  REGION_PACKET,
  REGION_STACK,
  type SteppedAccess,
  type SteppedInstruction,
} from '@vring/ebpf'
import { normalizeVerdict, XDP_TYPE, XDP_VERDICT_NAMES, XdpContext } from '@vring/xdp'

/** Instructions of one run that are kept; what is longer is shown up to there. */
export const MOMENTS_MAX = 4000
/** Room around a frame, as Linux leaves it. */
const HEADROOM = 256
const TAILROOM = 128
const REGISTERS = 11
const REGION_CONTEXT = 1
const REGION_FUNCTIONS = 4

/** What a register holds: as text, with the exact bits beside it. */
export interface RegisterValue {
  readonly text: string
  readonly bits: string
}

/** One entry of a map. */
export interface MapEntry {
  readonly map: string
  readonly key: string
  readonly value: string
}

/** Everything after one instruction. */
export interface XdpMoment {
  /** The instruction that was executed; null: the run begins. */
  readonly executed: SteppedInstruction | null
  /** The one that is next; null: the run has ended. */
  readonly next: SteppedInstruction | null
  readonly access: SteppedAccess | null
  readonly registers: readonly RegisterValue[]
  readonly depth: number
  /** Bytes from `dataMeta` to `dataEnd`; the frame begins at `frameAt` of them. */
  readonly packet: Uint8Array
  /** Place of `packet` in the memory that addresses are offsets into. */
  readonly packetAt: number
  readonly frameAt: number
  /** The running frame's 512 bytes; the last ones are at r10 - 1. */
  readonly stack: Uint8Array
  readonly maps: readonly MapEntry[]
  /** Set once the run has ended. */
  readonly verdict: string | null
}

/** A program, stepped over one frame: all moments of the run, and which one is looked at. */
export class XdpSession {
  readonly stepper: ProgramStepper<XdpContext>
  readonly moments: readonly XdpMoment[]
  /** The run has more instructions than are kept. */
  readonly isCut: boolean
  readonly #bySlot: ReadonlyMap<number, SteppedInstruction>
  cursor = 0

  /** @throws VringError, EbpfError for a program that is not to be loaded */
  constructor(object: Uint8Array, program: string | undefined, frame: Uint8Array) {
    // The same run each time.
    let random = 0
    const options = { clock: () => 1_000_000, random: () => ++random, ...(program === undefined ? {} : { program }) }
    this.stepper = loadStepper(XDP_TYPE, object, options)
    this.#bySlot = new Map(this.stepper.instructions.map((one) => [one.slot, one]))
    const context = contextOf(frame)
    this.stepper.begin(context)
    const moments = [this.#moment(null, null, context)]
    while (this.stepper.slot >= 0 && moments.length < MOMENTS_MAX) {
      const executed = this.#bySlot.get(this.stepper.slot)!
      moments.push(this.#moment(executed, this.stepper.step(), context))
    }
    this.moments = moments
    this.isCut = this.stepper.slot >= 0
  }

  get current(): XdpMoment {
    return this.moments[this.cursor]!
  }

  get previous(): XdpMoment | null {
    return this.moments[this.cursor - 1] ?? null
  }

  goTo(index: number): void {
    this.cursor = Math.max(0, Math.min(this.moments.length - 1, index))
  }

  #moment(executed: SteppedInstruction | null, access: SteppedAccess | null, context: XdpContext): XdpMoment {
    const { stepper } = this
    const next = this.#bySlot.get(stepper.slot) ?? null
    return {
      executed,
      next,
      access,
      registers: Array.from({ length: REGISTERS }, (_, number) => this.#value(number, next, context)),
      depth: stepper.depth,
      packet: context.u8.slice(context.dataMeta, context.dataEnd),
      packetAt: context.dataMeta,
      frameAt: context.data - context.dataMeta,
      stack: stepper.stack(),
      maps: [...stepper.maps].flatMap(([name, map]) => entriesOf(name, map)),
      verdict: stepper.slot >= 0 ? null : `XDP_${XDP_VERDICT_NAMES[normalizeVerdict(stepper.result())]!.toUpperCase()}`,
    }
  }

  /** The verifier knows which registers hold pointers; those that hold nothing yet are left empty. */
  #value(number: number, next: SteppedInstruction | null, { data }: XdpContext): RegisterValue {
    const { low, high } = this.stepper.register(number)
    const known = next?.known.get(number)
    // After the run r0 alone means something.
    if (known === undefined && !(next === null && number === 0)) return { text: '', bits: '' }
    const bits = `0x${((BigInt(high) << 32n) | BigInt(low)).toString(16)}`
    const value = BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low))
    if (known?.isPointer !== true || high === 0) return { text: String(value), bits }
    return { text: this.#pointer(number, low, high, data), bits }
  }

  #pointer(number: number, low: number, region: number, data: number): string {
    const names = [...this.stepper.maps.keys()]
    if (region === REGION_CONTEXT) return offsetText('context', low)
    if (region === REGION_PACKET) return offsetText('packet', low - data)
    if (region === REGION_FUNCTIONS) return `function at ${low}`
    if (region === REGION_STACK)
      return number === 10 ? 'stack end' : offsetText('stack', low - this.stepper.register(10).low)
    if (region >= REGION_MAP_OBJECTS) return `map ${names[region - REGION_MAP_OBJECTS]}`
    return offsetText(`values of ${names[region - REGION_MAP_VALUES] ?? 'a map'}`, low)
  }
}

function offsetText(name: string, offset: number): string {
  return offset === 0 ? name : `${name} ${offset < 0 ? '-' : '+'} ${Math.abs(offset)}`
}

function contextOf(frame: Uint8Array): XdpContext {
  const u8 = new Uint8Array(HEADROOM + frame.length + TAILROOM)
  u8.set(frame, HEADROOM)
  const context = new XdpContext()
  context.setFrame(u8, HEADROOM, frame.length, HEADROOM, TAILROOM)
  return context
}

/** Entries whose value is not all zeros, at most 16. */
function entriesOf(name: string, map: EbpfMap): MapEntry[] {
  const entries: MapEntry[] = []
  for (const key of map.keys()) {
    const value = map.get(key)
    if (value?.some((byte) => byte !== 0)) entries.push({ map: name, key: numberText(key), value: numberText(value) })
    if (entries.length === 16) break
  }
  return entries
}

/** Little-endian integers as numbers, what is longer as bytes. */
function numberText(bytes: Uint8Array): string {
  if (bytes.length > 8) return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
  return String(bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n))
}
