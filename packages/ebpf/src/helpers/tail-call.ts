import type { ProgArray, TailTarget } from '../maps/prog-array.ts'
import type { HookContext, Machine } from '../runtime/machine.ts'
import { REGION_MAP_OBJECTS } from '../runtime/memory-region.ts'
import { type Helper, signedResult } from './helper.ts'

/** Tail calls in one run. Source: Linux MAX_TAIL_CALL_CNT. */
const TAIL_CALLS_MAX = 33

/** Tail calls of the run that is under way: one isolate runs one program at a time. */
export const tailCalls: Int32Array = new Int32Array(1)

/**
 * Goes on with another program, which has the same context and takes the place of the one that calls. The engines do
 * it, as they have to leave; here is what happens where there is nothing to go on with. Source: Linux
 * kernel/bpf/core.c, JMP_TAIL_CALL.
 */
export const TAIL_CALL: Helper = {
  number: 12,
  name: 'tail_call',
  arguments: ['context', 'map', 'number'],
  result: 'number',
  maps: ['prog-array'],
  movesPacket: true,
  leaves: true,
  create: () => () => signedResult(-1),
}

/** The program to go on with, or undefined: none is there, or there were too many tail calls. */
export function tailTarget(machine: Machine<HookContext>, map: number, index: number): TailTarget | undefined {
  const target = (machine.maps[map - REGION_MAP_OBJECTS] as ProgArray).program(index >>> 0)
  if (target === undefined || tailCalls[0]! >= TAIL_CALLS_MAX) return undefined
  tailCalls[0]!++
  return target
}

/**
 * Goes on with a program from within a function: the frames of its callers go on later. So the target must leave their
 * stack as it is, even where it is the same program.
 */
export function enterFromFunction<C extends HookContext>(machine: Machine<C>, target: TailTarget): number {
  const kept = machine.stack.u8.slice()
  const result = target.enter(machine.context as never)
  machine.stack.u8.set(kept)
  return result
}
