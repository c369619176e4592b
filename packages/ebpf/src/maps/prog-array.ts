import { EINVAL, refused } from '@vring/layout'
import { BaseMap, checkIndexKey, indexAt, indexKeyOf } from './base-map.ts'
import { E2BIG, type EbpfMapDefinition, ENOENT } from './ebpf-map.ts'

/** What a tail call goes on with: a loaded program, entered without being a run of its own. */
export interface TailTarget {
  readonly name: string
  /** @returns the low half of r0; the high half is left as helpers leave theirs */
  enter(context: never): number
}

/** Programs by index, for tail calls. They are set from outside, with {@link setProgram}. */
export class ProgArray extends BaseMap {
  readonly values: Uint8Array = new Uint8Array(0)
  /** By index; what was never set takes no room. */
  private readonly programs: (TailTarget | undefined)[] = []

  constructor(definition: EbpfMapDefinition) {
    super(definition)
    checkIndexKey(definition)
  }

  /** The program at an index, or undefined: the tail call falls through. */
  program(index: number): TailTarget | undefined {
    return this.programs[index]
  }

  /** Puts a program there; null takes it away. @throws VringError if there is no such index */
  setProgram(index: number, program: TailTarget | null): void {
    if (!(Number.isInteger(index) && index >= 0 && index < this.maxEntries))
      throw refused('ERR_OUT_OF_RANGE', `map ${this.name}: index`, index, `0 to ${this.maxEntries - 1}`)
    this.programs[index] = program ?? undefined
  }

  find(): number {
    return -1
  }

  /** Programs are no bytes: see {@link setProgram}. */
  update(): number {
    return EINVAL
  }

  delete(memory: Uint8Array, key: number): number {
    const index = indexAt(memory, key)
    if (index >= this.maxEntries) return E2BIG
    if (this.programs[index] === undefined) return ENOENT
    this.programs[index] = undefined
    return 0
  }

  keys(): Uint8Array[] {
    const found: Uint8Array[] = []
    this.programs.forEach((program, index) => {
      if (program !== undefined) found.push(indexKeyOf(index))
    })
    return found
  }
}
