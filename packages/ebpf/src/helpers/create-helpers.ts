import type { Program } from '../isa/instruction.ts'
import type { ProgramType } from '../program-type.ts'
import type { HookContext, Machine } from '../runtime/machine.ts'
import type { HelperFunction } from './helper.ts'

/** The helpers that a verified program calls, over its machine. */
export function createHelpers<C extends HookContext>(
  type: ProgramType<C>,
  program: Program,
  machine: Machine<C>,
): ReadonlyMap<number, HelperFunction> {
  const functions = new Map<number, HelperFunction>()
  for (const one of program) {
    if (one?.kind !== 'call' || functions.has(one.helper)) continue
    const helper = type.helpers.get(one.helper)
    // A call that no path reaches may name anything.
    if (helper !== undefined) functions.set(one.helper, helper.create(machine))
  }
  return functions
}
