import { PIECES_BETWEEN_YIELDS } from '../give-way.ts'
import { type Program, REGISTER_COUNT } from '../isa/instruction.ts'
import type { HookContext } from '../runtime/machine.ts'
import { REGION_STACK } from '../runtime/memory-region.ts'
import { type Facts, REACHED, TAKEN } from '../verifier/facts.ts'
import type { Subprogram } from '../verifier/structure.ts'
import type { Edge } from './control-flow.ts'
import { halvesOf, type InstructionText, type Scope } from './instruction-text.ts'
import { findParts } from './parts.ts'
import { slotsText } from './slots-text.ts'

/** Ends a function: r0 is its result, its high half is left in H. */
const EXIT = 'H[0]=h0;return r0;'
/** Variables of r0 to r9, and of intermediate results. */
const HALVES = halvesOf(Array.from({ length: REGISTER_COUNT - 1 }, (_, register) => register))
/** Where `pc` is kept from one part to the next, after r0 to r9: the column G has them in this order. */
const KEPT_PC = HALVES.length
export const KEPT_WORDS: number = KEPT_PC + 1

/** A part ends: all of them are kept in G for the next one, whose number it returns. */
const KEEP = `${HALVES.map((half, i) => `G[${i}]=${half}`).join(';')};G[${KEPT_PC}]=pc;return part`
const TAKE = `${HALVES.map((half, i) => `${half}=G[${i}]`).join()},pc=G[${KEPT_PC}]`

/** Texts of one subprogram. */
export interface FunctionText {
  /** Statements, in a function with the variables `context` and r10, and those of registers that the caller gives. */
  readonly body: string
  /**
   * Functions `(context,r10)`, to be put into `env.parts`, from number `firstPart` on; none where the body is whole. Each
   * returns the number of the next part, or -1 at the end, with r0 in G and its high half in H.
   */
  readonly parts: readonly string[]
}

/** Makes the texts of subprograms: each is one function, and in a long program one for each of its parts. */
export class FunctionTexts<C extends HookContext> {
  readonly #program: Program
  readonly #facts: Facts
  readonly #instructions: InstructionText<C>
  readonly #scope: Scope
  #partCount = 0

  constructor(program: Program, facts: Facts, instructions: InstructionText<C>, scope: Scope) {
    this.#program = program
    this.#facts = facts
    this.#instructions = instructions
    this.#scope = scope
  }

  /**
   * @param parameters variables of registers that are parameters
   * @param begin statements that give registers their values
   */
  *of(subprogram: Subprogram, parameters: readonly string[], begin: string): Generator<void, FunctionText> {
    const edges = yield* this.#edges(subprogram)
    const parts = yield* findParts(this.#program, subprogram, edges)
    const declared = HALVES.filter((half) => !parameters.includes(half)).map((half) => `${half}=0`)
    const head = `let t=0,u=0,h10=${REGION_STACK},${declared.join()};${begin}`
    if (parts.length > 1) return yield* this.#inParts(parts, edges, head)
    const body = { ...subprogram, edges, entries: new Set<number>(), leave: () => '' }
    const lines = yield* slotsText(body, (index, jump) => this.#instructions.at(index, jump, EXIT))
    return { body: [this.packet, head, ...lines].join('\n'), parts: [] }
  }

  /** Statements by which a function reaches the packet. */
  get packet(): string {
    return `const P=${this.#scope}packet,P8=${this.#scope}bound`
  }

  /** Functions that call one another by turns, with all registers in G between them. */
  *#inParts(parts: readonly Subprogram[], edges: readonly Edge[], head: string): Generator<void, FunctionText> {
    const first = this.#partCount
    this.#partCount += parts.length
    const { inner, entries } = yield* shareOut(parts, edges)
    const texts: string[] = []
    for (const [i, part] of parts.entries()) {
      const goOn = (number: number, to: number): string => `part=${first + number};pc=${to}`
      const leave = (to: number): string => `{${goOn(numberOf(parts, to), to)};break X}`
      const body = { ...part, edges: inner[i]!, entries: entries[i]!, leave }
      const exit = '{part=-1;G[0]=r0;H[0]=h0;return part}'
      const lines = yield* slotsText(body, (index, jump) => this.#instructions.at(index, jump, exit))
      texts.push(
        [
          '(function(context,r10){',
          this.packet,
          `let t=0,u=0,part=-1,h10=${REGION_STACK},${TAKE};`,
          'X:{',
          ...lines,
          goOn(i + 1, part.end),
          `}${KEEP}})`,
        ].join('\n'),
      )
      yield
    }
    const body = `${head}let part=${first},pc=${parts[0]!.start};${KEEP.replace(/return part$/, '')}`
    const run = 'const parts=env.parts;while(part>=0)part=parts[part](context,r10);return G[0]'
    return { body: `${body}${run}`, parts: texts }
  }

  /** Jumps that some path takes. */
  *#edges({ start, end }: Subprogram): Generator<void, Edge[]> {
    const edges: Edge[] = []
    for (let index = start; index < end; index++) {
      if (index % PIECES_BETWEEN_YIELDS === 0) yield
      const one = this.#program[index]
      const flags = this.#facts.flags[index]!
      if (!one || (flags & REACHED) === 0) continue
      if (one.kind === 'goto' || (one.kind === 'jump' && (flags & TAKEN) !== 0))
        edges.push({ from: index, to: one.target })
    }
    return edges
  }
}

/** Jumps within each part, and where each is come to from others, other than at its start. */
function* shareOut(
  parts: readonly Subprogram[],
  edges: readonly Edge[],
): Generator<void, { inner: Edge[][]; entries: Set<number>[] }> {
  const inner = parts.map((): Edge[] => [])
  const entries = parts.map(() => new Set<number>())
  for (const [i, edge] of edges.entries()) {
    if (i % PIECES_BETWEEN_YIELDS === 0) yield
    const from = numberOf(parts, edge.from)
    const to = numberOf(parts, edge.to)
    if (from === to) inner[to]!.push(edge)
    else if (edge.to !== parts[to]!.start) entries[to]!.add(edge.to)
  }
  return { inner, entries }
}

/** The part that a slot is in. */
function numberOf(parts: readonly Subprogram[], slot: number): number {
  let low = 0
  let high = parts.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (parts[middle]!.start <= slot) low = middle
    else high = middle - 1
  }
  return low
}
