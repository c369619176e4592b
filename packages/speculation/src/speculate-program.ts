import { EFAULT } from '@vring/layout'
import { type MemoryView, memoryView } from '@vring/memory'
import { PathSearch, type SpeculationFinding } from './path-search.ts'
import { SpeculatingCpu } from './speculating-cpu.ts'
import type { MappedObject, SpeculatedMemory } from './speculative-space.ts'

/** A piece of code that is no device: objects in memory, and what it does with them. */
export interface SpeculativeProgram {
  readonly name: string
  /** Objects by name: how many bytes each has, filled with its content from the start. What lies beside them is secret. */
  readonly objects: Readonly<Record<string, ProgramObject>>
  /** Touches memory through `machine`, and names each conditional branch with `machine.cpu.predict`. */
  run(machine: ProgramMachine): void
}

export interface ProgramObject {
  readonly bytes: number
  /** Default: zeros. */
  readonly content?: readonly number[]
}

/** How far {@link speculateProgram} looks. */
export interface ProgramOptions {
  /** Mispredicted branches on one path; default 1. */
  readonly depth?: number
  /** Port operations that execute transiently after the first misprediction; default 64. */
  readonly window?: number
}

/** Bytes between two objects, which belong to none. */
const GAP_BYTES = 4096

/** The objects of a program in one buffer, each with a view of its own. */
class ProgramMemory implements SpeculatedMemory {
  readonly limit = 0
  readonly span: number
  readonly view: MemoryView
  readonly #objects = new Map<unknown, MappedObject>()
  readonly #words = new Map<string, Uint16Array>()

  constructor(objects: Readonly<Record<string, ProgramObject>>) {
    let bytes = GAP_BYTES
    const starts = Object.entries(objects).map(([name, object]) => {
      const start = bytes
      bytes += 4 * Math.ceil(object.bytes / 4) + GAP_BYTES
      return { name, start, object }
    })
    this.span = bytes
    this.view = memoryView(new ArrayBuffer(bytes))
    for (const { name, start, object } of starts) {
      this.view.u8.set(object.content ?? [], start)
      const words = new Uint16Array(this.view.buffer)
      this.#words.set(name, words)
      this.#objects.set(words, { name, start, end: start + object.bytes })
    }
  }

  wordsOf(name: string): Uint16Array {
    return this.#words.get(name)!
  }

  mappingOf(words: Uint16Array | Uint32Array): MappedObject | undefined {
    return this.#objects.get(words)
  }

  isKnown(): boolean {
    return false
  }

  resolve(): number {
    return EFAULT
  }

  resolveSpan(): number {
    return EFAULT
  }
}

/** What a program runs on. */
export class ProgramMachine {
  readonly cpu: SpeculatingCpu
  readonly #memory: ProgramMemory

  constructor(cpu: SpeculatingCpu, memory: ProgramMemory) {
    this.cpu = cpu
    this.#memory = memory
  }

  /** The byte at an offset of an object, which may be any number. */
  load8(name: string, offset: number): number {
    const words = this.#memory.wordsOf(name)
    const at = this.#memory.mappingOf(words)!.start + offset
    return (this.cpu.load16(words, (at - (at & 1)) / 2) >>> (8 * (at & 1))) & 0xff
  }
}

/** Runs a program along every path of mispredicted branches, as `speculate` does with a device's round. */
export function speculateProgram(program: SpeculativeProgram, options: ProgramOptions = {}): SpeculationFinding[] {
  const { depth = 1, window = 64 } = options
  const search = new PathSearch(depth, window)
  search.follow(program.name, (plan) => {
    const memory = new ProgramMemory(program.objects)
    const cpu = new SpeculatingCpu(plan, memory)
    cpu.run(() => program.run(new ProgramMachine(cpu, memory)))
    return cpu
  })
  return search.findings
}
