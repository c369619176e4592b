import { runAtOnce } from './give-way.ts'
import { disassemble } from './isa/disassemble.ts'
import { FRAME_POINTER, type Instruction, REGISTER_COUNT, STACK_BYTES } from './isa/instruction.ts'
import { high } from './isa/wide.ts'
import {
  type EbpfProgram,
  type LoadedProgram,
  type LoadProgramOptions,
  loadSteps,
  type RawEbpf,
} from './load-program.ts'
import type { EbpfMap } from './maps/ebpf-map.ts'
import { type SourceLine, sourceLineAt } from './object/source-lines.ts'
import type { ProgramType } from './program-type.ts'
import { Interpreter } from './runtime/interpreter.ts'
import type { HookContext } from './runtime/machine.ts'
import { REGION_STACK } from './runtime/memory-region.ts'
import { explainRegister } from './verifier/explain-register.ts'
import { isPointer } from './verifier/register.ts'
import type { VerifierState } from './verifier/state.ts'

/** Different things that are kept of one register at one instruction; further paths count as more of them. */
const KNOWN_MAX = 3

/** What the verifier found out of one register, before one instruction. */
export interface KnownRegister {
  /** Over the paths that were followed, without repetitions, at most three. */
  readonly texts: readonly string[]
  /** There were more. */
  readonly isMore: boolean
  /** It is a pointer on each of these paths: its value is a region and an offset there. */
  readonly isPointer: boolean
}

/** An instruction of a program that is stepped. */
export interface SteppedInstruction {
  readonly slot: number
  readonly text: string
  /** Where the object has lines of its source (`clang -g`). */
  readonly source?: SourceLine
  /** Times that the verifier came here; 0: no run can. */
  readonly visits: number
  /** By number of the register; those that hold nothing yet are left out. */
  readonly known: ReadonlyMap<number, KnownRegister>
}

/** A load, store or atomic operation that was executed: bytes from `at` on in a region. */
export interface SteppedAccess {
  readonly region: number
  readonly at: number
  readonly bytes: number
  readonly writes: boolean
}

/** A verified program that runs one instruction at a time. */
export interface ProgramStepper<C extends HookContext = HookContext> {
  readonly name: string
  readonly maps: ReadonlyMap<string, EbpfMap>
  readonly verifiedInstructions: number
  /** In the order of slots. */
  readonly instructions: readonly SteppedInstruction[]
  /** The instruction that is next; -1: the run has ended. */
  readonly slot: number
  /** Frames of the call chain. */
  readonly depth: number
  /** Begins a run. */
  begin(context: C): void
  /** Executes one instruction. @returns what it accessed itself, or null; what a helper accesses is not told */
  step(): SteppedAccess | null
  /** Both halves of a register, unsigned; of a pointer `high` is a region, `low` a byte offset there. */
  register(number: number): { readonly low: number; readonly high: number }
  /** Bytes of the running frame's stack, of which the last ones are at r10 - 1. A copy. */
  stack(): Uint8Array
  /** r0 after the run, its low 32 bits. */
  result(): number
}

/** What the verifier saw at one slot. */
class Observed {
  visits = 0
  readonly known = new Map<number, { texts: string[]; isMore: boolean; isPointer: boolean }>()

  add(state: VerifierState, mapNames: readonly string[]): void {
    this.visits++
    for (let number = 0; number < REGISTER_COUNT; number++) {
      const register = state.registers[number]!
      if (register.kind === 'none') continue
      const known = this.known.get(number) ?? { texts: [], isMore: false, isPointer: true }
      this.known.set(number, known)
      known.isPointer &&= isPointer(register) || (register.kind === 'number' && register.number.max === 0n)
      if (known.isMore) continue
      const text = explainRegister(register, mapNames)
      if (known.texts.includes(text)) continue
      if (known.texts.length === KNOWN_MAX) known.isMore = true
      else known.texts.push(text)
    }
  }
}

/**
 * Loads a program to be stepped: verified as by `loadProgram`, interpreted one instruction at a time, with what the verifier
 * knew before each of them. At once, for programs as people write them: a test or a debugger, not a datapath.
 *
 * @throws VringError, EbpfError as `loadProgram`
 */
export function loadStepper<C extends HookContext>(
  type: ProgramType<C>,
  source: Uint8Array | RawEbpf,
  options: LoadProgramOptions = {},
): ProgramStepper<C> {
  const observed = new Map<number, Observed>()
  let loaded: LoadedProgram<C> | undefined
  const program: EbpfProgram<C> = runAtOnce(
    loadSteps(type, source, { ...options, engine: 'interpret' }, (one) => {
      loaded ??= one
      // Programs that tail calls lead to are run, but not stepped.
      if (loaded !== one) return () => {}
      const mapNames = one.maps.map(({ name }) => name)
      return (slot, state) => {
        const at = observed.get(slot) ?? new Observed()
        observed.set(slot, at)
        at.add(state, mapNames)
      }
    }),
  )
  const { object, code, linked, machine, verified } = loaded!
  const lines = object?.sourceLines() ?? new Map()
  const sourceOf = (slot: number): SourceLine | undefined => {
    const from = linked.functions?.findLast((one) => one.slot <= slot)
    return from === undefined ? undefined : sourceLineAt(lines, from.section, from.offset + (slot - from.slot) * 8)
  }
  const interpreter = new Interpreter(type, code, verified!, machine)
  let slot = -1
  return {
    name: program.name,
    maps: program.maps,
    verifiedInstructions: program.verifiedInstructions,
    instructions: code.flatMap((one, at): SteppedInstruction[] => {
      if (one === null) return []
      const line = sourceOf(at)
      const { visits = 0, known = new Map() } = observed.get(at) ?? {}
      return [{ slot: at, text: disassemble(one), ...(line === undefined ? {} : { source: line }), visits, known }]
    }),
    get slot() {
      return slot
    },
    get depth() {
      return interpreter.frames
    },
    begin: (context) => {
      slot = interpreter.begin(context) ? 0 : -1
    },
    step: () => {
      const access = accessOf(interpreter, code[slot] ?? null)
      slot = interpreter.step(slot)
      return access
    },
    register: (number) => interpreter.register(number),
    stack: () => {
      const { low } = interpreter.register(FRAME_POINTER)
      return machine.regions[REGION_STACK]!.u8.slice(low - STACK_BYTES, low)
    },
    result: () => {
      high[0] = interpreter.register(0).high | 0
      return interpreter.register(0).low
    },
  }
}

function accessOf<C extends HookContext>(interpreter: Interpreter<C>, one: Instruction | null): SteppedAccess | null {
  if (one?.kind !== 'load' && one?.kind !== 'store' && one?.kind !== 'atomic') return null
  const { low, high: region } = interpreter.register(one.base)
  return { region, at: (low + one.offset) >>> 0, bytes: one.bytes, writes: one.kind !== 'load' }
}
