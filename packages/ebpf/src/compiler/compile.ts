import { PIECES_BETWEEN_YIELDS } from '../give-way.ts'
import { createHelpers } from '../helpers/create-helpers.ts'
import { MAP_LOOKUP_ELEM } from '../helpers/map-helpers.ts'
import { enterFromFunction, tailCalls, tailTarget } from '../helpers/tail-call.ts'
import { atomic } from '../isa/arithmetic.ts'
import { nextSlot, type Program, REGISTER_COUNT, STACK_BYTES } from '../isa/instruction.ts'
import * as wide from '../isa/wide.ts'
import { ArrayMap } from '../maps/array-map.ts'
import type { ProgramType } from '../program-type.ts'
import { type HookContext, type Machine, PACKET_END_MAX } from '../runtime/machine.ts'
import {
  REGION_CONTEXT,
  REGION_FUNCTIONS,
  REGION_MAP_OBJECTS,
  REGION_MAP_VALUES,
  REGION_PACKET,
  REGION_STACK,
} from '../runtime/memory-region.ts'
import { KEY_MAY_MISS, NOT_TAKEN, REACHED, TAKEN } from '../verifier/facts.ts'
import type { Subprogram } from '../verifier/structure.ts'
import type { Verified } from '../verifier/verified.ts'
import { blockLabel, type Edge, type Labelled, loopLabel, structureJumps } from './control-flow.ts'
import { aluStatement, condition, low, moveStatement, negateStatement, swapStatement, top } from './expressions.ts'
import { highBit, liveHalves } from './half-liveness.ts'
import {
  type AccessPlace,
  addressOf,
  atomicStatement,
  bytesOf,
  loadStatement,
  storeStatement,
  viewOf,
} from './memory-code.ts'
import { findParts, WHOLE_SLOTS } from './parts.ts'

/**
 * Translates a verified program to JavaScript, one function for each subprogram. The engine's optimiser does the rest:
 * registers are local variables, jumps are labelled blocks and loops, memory accesses are DataView methods. In steps: the
 * engine's parser takes a long program in parts, see {@link findParts}.
 *
 * @throws EvalError where generating code is forbidden (a Content-Security-Policy without unsafe-eval)
 */
export function* compile<C extends HookContext>(
  type: ProgramType<C>,
  program: Program,
  verified: Verified,
  machine: Machine<C>,
): Generator<void, Entry<C>> {
  const texts = yield* generate(type, program, verified, machine)
  const env = {
    machine,
    wide,
    atomic,
    helpers: createHelpers(type, program, machine),
    tailCalls,
    tailTarget,
    enterFromFunction,
  }
  for (const text of texts.slice(0, -1)) {
    new Function('env', text)(env)
    yield
  }
  const make = new Function('env', texts.at(-1)!) as (env: object) => Entry<C>
  return make(env)
}

/**
 * The source texts of the compiled program, bodies of functions that take `env`. The last one returns an {@link Entry}; those
 * before it, of a long program, put functions into `env`.
 */
export function* generate<C extends HookContext>(
  type: ProgramType<C>,
  program: Program,
  verified: Verified,
  machine: Machine<C>,
): Generator<void, string[]> {
  const live = yield* liveHalves(program, verified.facts, type.helpers)
  const called = yield* findCalled(program)
  return yield* new Translation(type, program, verified, machine, live, called).generate()
}

/** Ways into a compiled program. Both return the low half of r0 and leave the high half in `high[0]`. */
export interface Entry<C> {
  /** One run. */
  run(context: C): number
  /** The rest of a run that another program began: a tail call. */
  enter(context: C): number
}

/** What a program calls by number, and the functions whose address it takes. */
interface Called {
  readonly helpers: ReadonlySet<number>
  readonly taken: ReadonlySet<number>
}

function* findCalled(program: Program): Generator<void, Called> {
  const helpers = new Set<number>()
  const taken = new Set<number>()
  for (let index = 0; index < program.length; index++) {
    if (index % PIECES_BETWEEN_YIELDS === 0) yield
    const one = program[index]
    if (one?.kind === 'call') helpers.add(one.helper)
    else if (one?.kind === 'load-function') taken.add(one.target)
  }
  return { helpers, taken }
}

class Translation<C extends HookContext> {
  readonly #type: ProgramType<C>
  readonly #program: Program
  readonly #verified: Verified
  readonly #machine: Machine<C>
  readonly #live: Int32Array
  /** What leads to functions, packet and its bytes: nothing, or `env.` where the text is in parts. */
  readonly #scope: '' | 'env.'
  /** Numbers of the helpers that it calls. */
  readonly #helpers: readonly number[]
  /** First slots of functions whose address is taken. */
  readonly #taken: ReadonlySet<number>

  constructor(
    type: ProgramType<C>,
    program: Program,
    verified: Verified,
    machine: Machine<C>,
    live: Int32Array,
    { helpers, taken }: Called,
  ) {
    this.#type = type
    this.#program = program
    this.#verified = verified
    this.#machine = machine
    this.#live = live
    this.#scope = program.length > WHOLE_SLOTS ? 'env.' : ''
    // A call that no path reaches is not verified, and may name any number.
    this.#helpers = [...helpers].filter((number) => type.helpers.has(number))
    this.#taken = taken
  }

  *generate(): Generator<void, string[]> {
    const [main, ...others] = this.#verified.subprograms
    const functions: string[] = []
    for (const one of others) functions.push(...(yield* this.#subprogram(one)))
    const entry = yield* this.#main(main!, functions)
    const isWhole = this.#scope === ''
    // In parentheses, a function is parsed and compiled now, not when it is called first.
    const head = this.#head()
    const parts = isWhole ? [] : functions.map((one) => `${head}\nenv.${nameOf(one)}=(${one})`)
    const last = [
      head,
      isWhole ? 'let bound=null,packet=null' : 'env.bound=env.packet=null',
      `function bind(u8){${this.#scope}packet=machine.bindPacket(u8).view;${this.#scope}bound=u8}`,
      ...(isWhole ? functions : []),
      ...this.#invoke(others),
      entry,
      this.#run(),
    ]
    return [...parts, last.join('\n')]
  }

  /** What every text begins with. */
  #head(): string {
    return [
      "'use strict'",
      'const {machine,wide:W,atomic,helpers,tailCalls,tailTarget,enterFromFunction}=env,H=W.high,R=machine.regions,M=machine.maps',
      'const S=machine.stack.view,S8=machine.stack.u8',
      ...this.#machine.maps.map(
        (_, index) => `const V${index}=R[${REGION_MAP_VALUES + index}].view,M${index}=M[${index}]`,
      ),
      ...this.#helpers.map((helper) => `const help${helper}=helpers.get(${helper})`),
    ].join('\n')
  }

  /** Parts of the program after its first one are added to `functions`. */
  *#main(main: Subprogram, functions: string[]): Generator<void, string> {
    const helps = this.#helpers.some((number) => this.#type.helpers.get(number) !== MAP_LOOKUP_ELEM)
    const { entry } = this.#type
    const [body, ...parts] = yield* this.#body(main)
    functions.push(...parts)
    return [
      'function enter(context){',
      `if(context.dataEnd>${PACKET_END_MAX}){H[0]=0;return 0}`,
      `if(context.u8!==${this.#scope}bound)bind(context.u8)`,
      helps ? 'machine.context=context' : '',
      this.#packet(),
      variables(new Set()),
      entry.kind === 'context'
        ? `h1=${REGION_CONTEXT};`
        : `r1=context.data|0;h1=${REGION_PACKET};r2=${entry.bytes | 0};`,
      `r10=${STACK_BYTES};h10=${REGION_STACK};`,
      body!,
      '}',
    ].join('\n')
  }

  #packet(): string {
    return `const P=${this.#scope}packet,P8=${this.#scope}bound`
  }

  /** A run counts its tail calls; what a tail call enters is no run of its own. */
  #run(): string {
    const leaves = this.#helpers.some((number) => this.#type.helpers.get(number)?.leaves)
    return leaves ? 'return {enter,run(context){tailCalls[0]=0;return enter(context)}}' : 'return {enter,run:enter}'
  }

  /** How helpers call functions whose address is taken. */
  #invoke(functions: readonly Subprogram[]): string[] {
    const taken = this.#taken
    if (taken.size === 0) return []
    const cases = functions
      .filter(({ start }) => taken.has(start))
      .map(
        ({ start }) =>
          `case ${start}:return ${this.#scope}f${start}(machine.context,a,b,c,d,e,f,g,h,0,0,machine.frameEnd+${STACK_BYTES})`,
      )
    return [`machine.invoke=(target,a,b,c,d,e,f,g,h)=>{switch(target){${cases.join('\n')}}return 0}`]
  }

  /** Arguments r1 .. r5 in halves, then the frame's end; the high half of r0 is left in H[0]. */
  *#subprogram(one: Subprogram): Generator<void, string[]> {
    const parameters = [1, 2, 3, 4, 5].flatMap((register) => [low(register), top(register)])
    const [body, ...parts] = yield* this.#body(one)
    const first = [
      `function f${one.start}(context,${parameters.join()},r10){`,
      this.#packet(),
      variables(new Set([...parameters, 'r10'])),
      `h10=${REGION_STACK};`,
      body!,
      '}',
    ]
    return [first.join('\n'), ...parts]
  }

  /** Statements of one subprogram; of a long one those of its first part, then the functions that its other parts are. */
  *#body(subprogram: Subprogram): Generator<void, string[]> {
    const edges = yield* this.#edges(subprogram)
    const parts = yield* findParts(this.#program, subprogram, edges)
    const bodies: string[] = []
    let at = 0
    for (const [i, part] of parts.entries()) {
      const first = at
      while (at < edges.length && edges[at]!.from < part.end) at++
      const lines = yield* this.#statements(part, edges.slice(first, at))
      const next = parts[i + 1]
      if (next !== undefined) lines.push(`return ${this.#scope}f${next.start}(context,${ALL_HALVES},r10)`)
      const start = `function f${part.start}(context,${ALL_HALVES},r10){`
      const before = [start, this.#packet(), `let t=0,u=0,h10=${REGION_STACK};`]
      bodies.push((i === 0 ? lines : [...before, ...lines, '}']).join('\n'))
      if (parts.length > 1) yield
    }
    return bodies
  }

  *#statements(part: Subprogram, edges: readonly Edge[]): Generator<void, string[]> {
    const structure = structureJumps(edges)
    return structure === null ? yield* this.#dispatched(part, edges) : yield* this.#structured(part, structure)
  }

  /** Jumps that some path takes. */
  *#edges({ start, end }: Subprogram): Generator<void, Edge[]> {
    const edges: Edge[] = []
    for (let index = start; index < end; index++) {
      if (index % PIECES_BETWEEN_YIELDS === 0) yield
      const one = this.#program[index]
      const flags = this.#verified.facts.flags[index]!
      if (!one || (flags & REACHED) === 0) continue
      if (one.kind === 'goto' || (one.kind === 'jump' && (flags & TAKEN) !== 0))
        edges.push({ from: index, to: one.target })
    }
    return edges
  }

  *#structured({ start, end }: Subprogram, structure: readonly Labelled[]): Generator<void, string[]> {
    const lines: string[] = []
    const jump = (from: number, to: number): string =>
      to > from ? `break ${blockLabel(to)}` : `continue ${loopLabel(to)}`
    const open: Labelled[] = []
    let opened = 0
    for (let index = start; index <= end; index++) {
      if (index % PIECES_BETWEEN_YIELDS === 0) yield
      while (open[open.length - 1]?.close === index) {
        const one = open.pop()!
        lines.push(one.kind === 'loop' ? `break ${one.label}}` : '}')
      }
      for (; structure[opened]?.open === index; opened++) {
        const one = structure[opened]!
        open.push(one)
        lines.push(one.kind === 'loop' ? `${one.label}:for(;;){` : `${one.label}:{`)
      }
      if (index < end) lines.push(this.#statement(index, (to) => jump(index, to)))
    }
    return lines
  }

  /** Jumps into the middle of loops: one loop over a switch, as a machine would do it. */
  *#dispatched({ start, end }: Subprogram, edges: readonly Edge[]): Generator<void, string[]> {
    const targets = new Set(edges.map(({ to }) => to))
    const lines = [`let pc=${start}`, 'D:for(;;)switch(pc){', `case ${start}:`]
    for (let index = start; index < end; index++) {
      if (index % PIECES_BETWEEN_YIELDS === 0) yield
      if (targets.has(index) && index !== start) lines.push(`case ${index}:`)
      lines.push(this.#statement(index, (to) => `{pc=${to};continue D}`))
    }
    lines.push('}')
    return lines
  }

  #statement(index: number, jump: (to: number) => string): string {
    const one = this.#program[index]
    const { facts } = this.#verified
    const flags = facts.flags[index]!
    if (!one || (flags & REACHED) === 0) return ''
    const place: AccessPlace = { region: facts.region[index]!, address: facts.address[index]! }
    switch (one.kind) {
      case 'alu':
        return aluStatement(one, flags, this.#highIsLive(index, one.destination))
      case 'move':
        return moveStatement(one, flags, this.#highIsLive(index, one.destination))
      case 'negate':
        return negateStatement(one.destination, one.bits, this.#highIsLive(index, one.destination))
      case 'swap':
        return swapStatement(one, this.#highIsLive(index, one.destination))
      case 'load-immediate':
        return `r${one.destination}=${one.low};h${one.destination}=${one.high};`
      case 'load-map':
        return `r${one.destination}=0;h${one.destination}=${REGION_MAP_OBJECTS + one.map};`
      case 'load-map-value':
        return `r${one.destination}=${one.offset};h${one.destination}=${REGION_MAP_VALUES + one.map};`
      case 'load-function':
        return `r${one.destination}=${one.target};h${one.destination}=${REGION_FUNCTIONS};`
      case 'load':
        return loadStatement(one, place, this.#highIsLive(index, one.destination), this.#type.entry)
      case 'store':
        return storeStatement(one, place)
      case 'atomic':
        return atomicStatement(one, place)
      case 'goto':
        return `${jump(one.target)};`
      case 'jump': {
        const outcomes = flags & (TAKEN | NOT_TAKEN)
        if (outcomes === NOT_TAKEN) return ''
        return outcomes === TAKEN ? `${jump(one.target)};` : `if(${condition(one, flags)})${jump(one.target)};`
      }
      case 'call':
        return this.#call(one.helper, index, place)
      case 'call-local':
        return this.#callLocal(one.target)
      case 'exit':
        return `${EXIT};`
    }
  }

  #highIsLive(index: number, register: number): boolean {
    return (this.#live[nextSlot(this.#program, index)]! & highBit(register)) !== 0
  }

  #call(helper: number, index: number, key: AccessPlace): string {
    const map = this.#verified.facts.map[index]!
    const signature = this.#type.helpers.get(helper)!
    if (signature === MAP_LOOKUP_ELEM && map >= 0)
      return this.#lookup(map, key, (this.#verified.facts.flags[index]! & KEY_MAY_MISS) !== 0)
    if (signature.leaves) {
      const inMain = index < (this.#verified.subprograms[1]?.start ?? this.#program.length)
      const enter = inMain ? 't.enter(context)' : 'enterFromFunction(machine,t)'
      // What it leaves is what this one would: r0, with its high half in H.
      return `t=tailTarget(machine,h2,r3);if(t){r0=${enter};h0=H[0];${EXIT}}t=0;r0=h0=-1;`
    }
    const count = signature.arguments.length
    const frame = signature.callbackArguments === undefined ? '' : 'machine.frameEnd=r10;'
    const values = [1, 2, 3, 4, 5].flatMap((register) =>
      register <= count ? [low(register), top(register)] : ['0', '0'],
    )
    return `${frame}r0=help${helper}(${values.join()});h0=H[0];`
  }

  /** A lookup in a known map; in an array it is a comparison, unless the key was proved to be there, and a multiplication. */
  #lookup(number: number, key: AccessPlace, mayMiss: boolean): string {
    const map = this.#machine.maps[number]!
    const region = REGION_MAP_VALUES + number
    const address = addressOf(key, 2, 0)
    if (!(map instanceof ArrayMap))
      return `r0=M${number}.find(${bytesOf(key, 2)},${address});if(r0<0)r0=h0=0;else h0=${region};`
    const position = `${map.base === 0 ? '' : `${map.base}+`}Math.imul(r0,${map.stride})`
    if (!mayMiss) return `r0=${viewOf(key, 2)}.getInt32(${address},true);r0=(${position})|0;h0=${region};`
    return `r0=${viewOf(key, 2)}.getInt32(${address},true);if(r0>>>0<${map.maxEntries}){r0=(${position})|0;h0=${region}}else r0=h0=0;`
  }

  #callLocal(target: number): string {
    const values = [1, 2, 3, 4, 5].flatMap((register) => [low(register), top(register)])
    return `r0=${this.#scope}f${target}(context,${values.join()},r10+${STACK_BYTES});h0=H[0];`
  }
}

const EXIT = 'H[0]=h0;return r0'
/** r0 to r9. */
const ALL_HALVES = Array.from({ length: REGISTER_COUNT - 1 }, (_, register) => [low(register), top(register)])
  .flat()
  .join()

/** Name of a function whose text begins with it. */
function nameOf(text: string): string {
  return text.slice('function '.length, text.indexOf('('))
}

/** Declares the variables of all registers that are not parameters, and two for intermediate results. */
function variables(parameters: ReadonlySet<string>): string {
  const names = Array.from({ length: REGISTER_COUNT }, (_, register) => [low(register), top(register)]).flat()
  const declared = names.filter((name) => !parameters.has(name)).map((name) => `${name}=0`)
  return `let t=0,u=0,${declared.join()};`
}
