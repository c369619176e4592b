import { CALL_FRAMES_MAX, STACK_BYTES } from '../isa/instruction.ts'
import type { EbpfMap } from '../maps/ebpf-map.ts'
import {
  type MemoryRegion,
  memoryRegion,
  REGION_MAP_VALUES,
  REGION_PACKET,
  REGION_SCRATCH,
  REGION_STACK,
} from './memory-region.ts'

/**
 * Packet offsets stay below this, so that a pointer moved by all that the verifier allows does not wrap at 2^32. A
 * program is not run on what ends beyond it in a larger view: its result is 0.
 */
export const PACKET_END_MAX = 0xfff0_0000

/** What a hook passes to a program: memory, of which the program sees `data` to `dataEnd`, and what its type adds. */
export interface HookContext {
  readonly u8: Uint8Array
  readonly data: number
  readonly dataEnd: number
}

/** What a program is given from outside. */
export interface EbpfEnvironment {
  /** The CPU that get_smp_processor_id names; default 0. */
  readonly cpu?: number
  /** Time since some start in ns, for ktime_get_ns; default `performance.now`. */
  readonly clock?: () => number
  /** A random unsigned 32-bit number, for get_prandom_u32; default from `Math.random`. */
  readonly random?: () => number
  /** Where trace_printk lines go; default nowhere. */
  readonly trace?: (line: string) => void
}

/** The memory and the state that one loaded program runs with. */
export class Machine<C extends HookContext = HookContext> {
  /** The program's maps, then those that were looked up in maps of maps. */
  readonly maps: EbpfMap[]
  readonly environment: EbpfEnvironment
  /** Memory by region number. The packet's entry follows the context. */
  readonly regions: MemoryRegion[]
  /** Frames of {@link STACK_BYTES}, the first lowest. */
  readonly stack: MemoryRegion
  /** What the running program works on, for helpers; set before each run. */
  context!: C

  constructor(maps: readonly EbpfMap[], environment: EbpfEnvironment = {}) {
    this.maps = [...maps]
    this.environment = environment
    const empty = memoryRegion(new Uint8Array(0))
    this.regions = new Array<MemoryRegion>(REGION_MAP_VALUES).fill(empty)
    this.stack = memoryRegion(new Uint8Array(CALL_FRAMES_MAX * STACK_BYTES))
    this.regions[REGION_STACK] = this.stack
    maps.forEach((map, index) => {
      // What the verifier took for constant stays so, whatever becomes of the map outside.
      this.regions[REGION_MAP_VALUES + index] = memoryRegion(map.readOnly === true ? map.values.slice() : map.values)
    })
  }

  /** The number of a map that a map of maps holds: its own from the first look-up on. */
  numberOf(map: EbpfMap): number {
    const known = this.maps.indexOf(map)
    if (known >= 0) return known
    this.regions[REGION_MAP_VALUES + this.maps.length] = memoryRegion(map.values)
    return this.maps.push(map) - 1
  }

  /** Calls a function of the program, from a helper: r1 to r4 in halves. Returns as helpers do. Set by the engine. */
  invoke: (
    target: number,
    a: number,
    aHigh: number,
    b: number,
    bHigh: number,
    c: number,
    cHigh: number,
    d: number,
    dHigh: number,
  ) => number = () => 0

  /** Bytes at offset 0 of their own region, for a callback to read. */
  setScratch(u8: Uint8Array): void {
    this.regions[REGION_SCRATCH] = memoryRegion(u8)
  }

  /** End of the stack frame that calls a helper with a callback. */
  frameEnd = 0

  /** What a read-only map holds for as long as the program lives; undefined for others. */
  frozenContents(map: number): Uint8Array | undefined {
    return this.maps[map]?.readOnly === true ? this.regions[REGION_MAP_VALUES + map]!.u8 : undefined
  }

  /** Points the packet region at the memory that packets are in now. */
  bindPacket(u8: Uint8Array): MemoryRegion {
    const packet = memoryRegion(u8)
    this.regions[REGION_PACKET] = packet
    return packet
  }
}
