import { PIECES_BETWEEN_YIELDS } from '../give-way.ts'
import type { Program } from '../isa/instruction.ts'
import type { DeclaredArgument, GlobalFunction } from '../object/global-function.ts'
import { checkWritableMemory } from './access.ts'
import { CONTEXT, describeRegister, givenMemory, NULLABLE, numberRegister, type Register } from './register.ts'
import { isConstant, UNKNOWN } from './scalar.ts'
import { initialised, type Site, type VerifiedType } from './site.ts'
import type { Subprogram } from './structure.ts'

/**
 * What a global function is given in one register. `memory`: readable and writable, of a size that its declaration
 * tells.
 */
type Given =
  | { readonly kind: 'number' }
  | { readonly kind: 'context' }
  | { readonly kind: 'memory'; readonly bytes: number; readonly mayBeNull: boolean }

const ARGUMENTS_MAX = 5
/** Tags whose pointers are to kernel memory, or to an arena. */
const KERNEL_TAGS: readonly string[] = ['trusted', 'untrusted', 'nullable', 'arena']

/**
 * What is known of the arguments by the declaration alone. Source: Linux kernel/bpf/btf.c, btf_prepare_func_args.
 */
function givenArguments(site: Site, { name, returnsNumber, arguments: declared }: GlobalFunction): readonly Given[] {
  if (declared.length > ARGUMENTS_MAX) site.fail(`global function ${name} has more than ${ARGUMENTS_MAX} arguments`)
  if (!returnsNumber) site.fail(`global function ${name} does not return a number`)
  return declared.map((argument, i) => {
    const given = givenArgument(site.type, argument)
    return typeof given === 'string' ? site.fail(`global function ${name}, argument ${i + 1}: ${given}`) : given
  })
}

/** A text says why it can't be given. */
function givenArgument(
  { entry }: VerifiedType,
  { type, kind, structure, bytes, tags }: DeclaredArgument,
): Given | string {
  const other = tags.find((tag) => tag !== 'ctx' && tag !== 'nonnull')
  if (other !== undefined) {
    const why = KERNEL_TAGS.includes(other) ? 'is not there' : 'is unknown'
    return `the tag arg:${other} ${why}; accepted: arg:ctx, arg:nonnull`
  }
  if (kind !== 'pointer') {
    if (tags.length > 0) return `${type} has the tag arg:${tags[0]}, but is no pointer`
    return kind === 'number' ? { kind: 'number' } : `${type} is neither a number nor a pointer`
  }
  const isContext = entry.kind === 'context' && structure !== '' && structure === entry.structure
  if (tags.includes('ctx')) {
    if (tags.includes('nonnull')) return 'arg:ctx and arg:nonnull exclude each other'
    const isVoid = structure === '' && bytes === undefined
    if (entry.kind !== 'context' || !(isContext || isVoid)) return `${type} is no pointer to the context`
    return { kind: 'context' }
  }
  if (isContext) return tags.length === 0 ? { kind: 'context' } : `the context can't have the tag arg:${tags[0]}`
  if (structure === 'bpf_dynptr') return 'dynptrs are not there'
  if (bytes === undefined) return `${type}: the size of what it points to is not known`
  return { kind: 'memory', bytes, mayBeNull: !tags.includes('nonnull') }
}

/**
 * A call of a global function: what it is given must be what it declares. It is verified once, alone; of what it returns
 * only that it is a number is known. Source: Linux kernel/bpf/verifier.c, btf_check_func_arg_match and check_func_call.
 */
export function checkGlobalCall(site: Site, declared: GlobalFunction): void {
  for (const [i, given] of givenArguments(site, declared).entries()) {
    const register = initialised(site, i + 1)
    const use = `global function ${declared.name} takes`
    const is = `in r${i + 1}, which is ${describeRegister(register)}`
    if (given.kind === 'number') {
      if (register.kind !== 'number') site.fail(`${use} a number ${is}`)
    } else if (given.kind === 'context') {
      if (register.kind !== 'context' || register.offset !== 0) site.fail(`${use} the context ${is}`)
    } else checkGivenMemory(site, register, given, `${use} ${given.bytes} bytes of memory ${is}`)
  }
}

function checkGivenMemory(
  site: Site,
  register: Register,
  { bytes, mayBeNull }: { readonly bytes: number; readonly mayBeNull: boolean },
  message: string,
): void {
  const isNull = register.kind === 'number' && isConstant(register.number) && register.number.min === 0n
  const kind = NULLABLE.get(register.kind)
  if ((isNull || kind !== undefined) && !mayBeNull) site.fail(`${message}; it may not be null`)
  if (isNull) return
  if (register.kind === 'number') site.fail(message)
  checkWritableMemory(site, kind === undefined ? register : { ...register, kind }, bytes)
}

/** What r1, r2, ... hold where a global function starts. Source: Linux kernel/bpf/verifier.c, do_check_common. */
export function globalEntry(site: Site, declared: GlobalFunction): readonly Register[] {
  return givenArguments(site, declared).map((given) => {
    if (given.kind === 'number') return numberRegister(UNKNOWN)
    if (given.kind === 'context') return CONTEXT
    return givenMemory(given.bytes, given.mayBeNull ? site.newId() : 0)
  })
}

/** Starts of the functions that may move the packet, or call one that does. Source: Linux, mark_subprog_changes_pkt_data. */
export function* findPacketMovers(
  { helpers }: VerifiedType,
  program: Program,
  subprograms: readonly Subprogram[],
): Generator<void, ReadonlySet<number>> {
  const movers = new Set<number>()
  const callers = new Map<number, Set<number>>()
  for (const { start, end } of subprograms)
    for (let index = start; index < end; index++) {
      if (index % PIECES_BETWEEN_YIELDS === 0) yield
      const one = program[index]
      if (one?.kind === 'call' && helpers.get(one.helper)?.movesPacket) movers.add(start)
      if (one?.kind !== 'call-local' && one?.kind !== 'load-function') continue
      const known = callers.get(one.target)
      if (known === undefined) callers.set(one.target, new Set([start]))
      else known.add(start)
    }
  // The set grows while it is walked.
  for (const mover of movers) for (const caller of callers.get(mover) ?? []) movers.add(caller)
  return movers
}
