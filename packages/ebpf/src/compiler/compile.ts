import { createHelpers } from '../helpers/create-helpers.ts'
import { enterFromFunction, tailCalls, tailTarget } from '../helpers/tail-call.ts'
import { atomic } from '../isa/arithmetic.ts'
import type { Program } from '../isa/instruction.ts'
import * as wide from '../isa/wide.ts'
import type { ProgramType } from '../program-type.ts'
import type { HookContext, Machine } from '../runtime/machine.ts'
import type { Verified } from '../verifier/verified.ts'
import { KEPT_WORDS } from './function-text.ts'
import { programTexts } from './program-text.ts'

/** Ways into a compiled program. Both return the low half of r0 and leave the high half in `high[0]`. */
export interface Entry<C> {
  /** One run. */
  run(context: C): number
  /** The rest of a run that another program began: a tail call. */
  enter(context: C): number
}

/**
 * Translates a verified program to JavaScript, one function for each subprogram. The engine's optimiser does the rest:
 * registers are local variables, jumps are labelled blocks and loops, memory accesses are DataView methods. In steps: a long
 * program is a function for each thousand instructions, and the engine's parser takes one of them at once.
 *
 * @throws EvalError where generating code is forbidden (a Content-Security-Policy without unsafe-eval)
 */
export function* compile<C extends HookContext>(
  type: ProgramType<C>,
  program: Program,
  verified: Verified,
  machine: Machine<C>,
): Generator<void, Entry<C>> {
  const texts = yield* programTexts(type, program, verified, machine)
  const env = {
    machine,
    wide,
    atomic,
    helpers: createHelpers(type, program, machine),
    tailCalls,
    tailTarget,
    enterFromFunction,
    parts: [],
    kept: new Int32Array(KEPT_WORDS),
  }
  for (const text of texts.slice(0, -1)) {
    new Function('env', text)(env)
    yield
  }
  const make = new Function('env', texts.at(-1)!) as (env: object) => Entry<C>
  return make(env)
}
