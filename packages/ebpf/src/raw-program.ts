import { refused } from '@vring/layout'
import { BASE_HELPERS } from './helpers/base-helpers.ts'
import { type Helper, helperTable } from './helpers/helper.ts'
import { MAP_HELPERS } from './helpers/map-helpers.ts'
import { high } from './isa/wide.ts'
import { type EbpfProgram, type LoadProgramOptions, loadProgram, type RawEbpf } from './load-program.ts'
import type { ProgramType } from './program-type.ts'

export interface RawProgramOptions extends LoadProgramOptions {
  /** Bytes of memory that each run is given, at r1; r2 is this number. Default 0. */
  readonly memoryBytes?: number
  /** Helpers by number, instead of those of maps, time, random numbers and traces. */
  readonly helpers?: readonly Helper[]
}

/** A program over plain memory. */
export interface RawProgram extends Omit<EbpfProgram, 'run'> {
  readonly memoryBytes: number
  /**
   * Runs it once.
   *
   * @param memory exactly `memoryBytes`; the program may write to it
   * @returns r0, unsigned
   * @throws VringError ERR_OUT_OF_RANGE for memory of another size
   */
  run(memory?: Uint8Array): bigint
}

/** The type of programs that take memory in r1 and its length in r2, as other user-space runtimes run them. */
export function rawType(memoryBytes: number, helpers?: readonly Helper[]): ProgramType {
  return {
    name: 'raw',
    number: 0,
    entry: { kind: 'memory', bytes: memoryBytes },
    helpers: helpers === undefined ? helperTable(MAP_HELPERS, BASE_HELPERS) : helperTable(helpers),
    ownsSection: () => true,
  }
}

const NOTHING = new Uint8Array(0)

/**
 * Loads a program that takes memory in r1 and its length in r2.
 *
 * @throws VringError, EbpfError: see `loadProgram`
 */
export async function loadRawProgram(
  source: Uint8Array | RawEbpf,
  options: RawProgramOptions = {},
): Promise<RawProgram> {
  const { memoryBytes = 0 } = options
  if (!(Number.isInteger(memoryBytes) && memoryBytes >= 0 && memoryBytes <= 0x1000_0000))
    throw refused('ERR_OUT_OF_RANGE', 'memoryBytes', memoryBytes, '0 to 2^28')
  const program = await loadProgram(rawType(memoryBytes, options.helpers), source, options)
  return {
    ...program,
    memoryBytes,
    run: (memory = NOTHING) => {
      if (memory.length !== memoryBytes)
        throw refused('ERR_OUT_OF_RANGE', 'memory bytes', memory.length, String(memoryBytes))
      const low = program.run({ u8: memory, data: 0, dataEnd: memoryBytes })
      return (BigInt(high[0]! >>> 0) << 32n) | BigInt(low >>> 0)
    },
  }
}
