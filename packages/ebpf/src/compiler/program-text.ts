import { PIECES_BETWEEN_YIELDS } from '../give-way.ts'
import { MAP_LOOKUP_ELEM } from '../helpers/map-helpers.ts'
import { type Program, STACK_BYTES } from '../isa/instruction.ts'
import type { ProgramType } from '../program-type.ts'
import { type HookContext, type Machine, PACKET_END_MAX } from '../runtime/machine.ts'
import { REGION_CONTEXT, REGION_MAP_VALUES, REGION_PACKET } from '../runtime/memory-region.ts'
import type { Subprogram } from '../verifier/structure.ts'
import type { Verified } from '../verifier/verified.ts'
import { FunctionTexts } from './function-text.ts'
import { liveHalves } from './half-liveness.ts'
import { ARGUMENT_HALVES, InstructionText, type Scope } from './instruction-text.ts'
import { WHOLE_SLOTS } from './parts.ts'

/**
 * The source texts of the compiled program, bodies of functions that take `env`. The last one returns its entry; those
 * before it, of a long program, put functions into `env`.
 */
export function* programTexts<C extends HookContext>(
  type: ProgramType<C>,
  program: Program,
  verified: Verified,
  machine: Machine<C>,
): Generator<void, string[]> {
  const live = yield* liveHalves(program, verified.facts, type.helpers)
  const { helpers, taken } = yield* findCalled(type, program)
  const scope = program.length > WHOLE_SLOTS ? 'env.' : ''
  const instructions = new InstructionText(type, program, verified, machine, live, scope)
  const texts = new FunctionTexts(program, verified.facts, instructions, scope)
  const head = headText(machine, helpers)
  const [main, ...others] = verified.subprograms
  const functions: { readonly name: string; readonly text: string }[] = []
  const parts: string[] = []
  for (const one of others) {
    const text = yield* texts.of(one, ARGUMENT_HALVES, '')
    const name = `f${one.start}`
    functions.push({ name, text: `function ${name}(context,${ARGUMENT_HALVES.join()},r10){${text.body}}` })
    parts.push(...text.parts)
  }
  const entry = yield* texts.of(main!, [], startText(type))
  parts.push(...entry.parts)
  const isWhole = scope === ''
  const last = [
    head,
    isWhole ? 'let bound=null,packet=null' : 'env.bound=env.packet=null',
    `function bind(u8){${scope}packet=machine.bindPacket(u8).view;${scope}bound=u8}`,
    ...(isWhole ? functions.map(({ text }) => text) : []),
    ...invokeText(others, taken, scope),
    enterText(type, helpers, scope, entry.body),
    runText(type, helpers),
  ]
  return [
    // In parentheses, a function is parsed and compiled now, not when it is called first.
    ...(isWhole ? [] : functions.map(({ name, text }) => `${head}\nenv.${name}=(${text})`)),
    ...parts.map((text, number) => `${head}\nenv.parts[${number}]=${text}`),
    last.join('\n'),
  ]
}

/** Helpers that a program calls by number, and first slots of functions whose address it takes. */
interface Called {
  readonly helpers: readonly number[]
  readonly taken: ReadonlySet<number>
}

function* findCalled({ helpers }: Pick<ProgramType<never>, 'helpers'>, program: Program): Generator<void, Called> {
  const called = new Set<number>()
  const taken = new Set<number>()
  for (let index = 0; index < program.length; index++) {
    if (index % PIECES_BETWEEN_YIELDS === 0) yield
    const one = program[index]
    // A call that no path reaches is not verified, and may name any number.
    if (one?.kind === 'call' && helpers.has(one.helper)) called.add(one.helper)
    else if (one?.kind === 'load-function') taken.add(one.target)
  }
  return { helpers: [...called], taken }
}

/** What every text begins with. */
function headText({ maps }: Pick<Machine<never>, 'maps'>, helpers: readonly number[]): string {
  return [
    "'use strict'",
    'const {machine,wide:W,atomic,helpers,tailCalls,tailTarget,enterFromFunction,kept:G}=env,H=W.high,R=machine.regions,M=machine.maps',
    'const S=machine.stack.view,S8=machine.stack.u8',
    ...maps.map((_, index) => `const V${index}=R[${REGION_MAP_VALUES + index}].view,M${index}=M[${index}]`),
    ...helpers.map((helper) => `const help${helper}=helpers.get(${helper})`),
  ].join('\n')
}

/** What registers hold at entry. */
function startText({ entry }: Pick<ProgramType<never>, 'entry'>): string {
  if (entry.kind === 'context') return `h1=${REGION_CONTEXT};`
  return `r1=context.data|0;h1=${REGION_PACKET};r2=${entry.bytes | 0};`
}

/** One run, or the rest of one. */
function enterText<C extends HookContext>(
  type: ProgramType<C>,
  helpers: readonly number[],
  scope: Scope,
  body: string,
): string {
  const helps = helpers.some((number) => type.helpers.get(number) !== MAP_LOOKUP_ELEM)
  return [
    'function enter(context){',
    `if(context.dataEnd>${PACKET_END_MAX}){H[0]=0;return 0}`,
    `if(context.u8!==${scope}bound)bind(context.u8)`,
    helps ? 'machine.context=context' : '',
    `const r10=${STACK_BYTES}`,
    body,
    '}',
  ].join('\n')
}

/** A run counts its tail calls; what a tail call enters is no run of its own. */
function runText<C extends HookContext>(type: ProgramType<C>, helpers: readonly number[]): string {
  const leaves = helpers.some((number) => type.helpers.get(number)?.leaves)
  return leaves ? 'return {enter,run(context){tailCalls[0]=0;return enter(context)}}' : 'return {enter,run:enter}'
}

/** How helpers call functions whose address is taken. */
function invokeText(functions: readonly Subprogram[], taken: ReadonlySet<number>, scope: Scope): string[] {
  if (taken.size === 0) return []
  const cases = functions
    .filter(({ start }) => taken.has(start))
    .map(
      ({ start }) =>
        `case ${start}:return ${scope}f${start}(machine.context,a,b,c,d,e,f,g,h,0,0,machine.frameEnd+${STACK_BYTES})`,
    )
  return [`machine.invoke=(target,a,b,c,d,e,f,g,h)=>{switch(target){${cases.join('\n')}}return 0}`]
}
