import { PIECES_BETWEEN_YIELDS } from '../give-way.ts'
import type { Subprogram } from '../verifier/structure.ts'
import { blockLabel, type Edge, type Labelled, loopLabel, structureJumps } from './control-flow.ts'

/** Slots of which one JavaScript function is made. */
export interface Body extends Subprogram {
  /** Jumps among them. */
  readonly edges: readonly Edge[]
  /** Slots after its first one that control comes to from outside; the variable `pc` says which. */
  readonly entries: ReadonlySet<number>
  /** The statement that goes on at a slot outside. */
  leave(to: number): string
}

/** The statements of one slot; `jump` makes the one that goes on at another slot. */
export type SlotText = (index: number, jump: (to: number) => string) => string

/** The statements of a function's slots, with its jumps as labelled blocks and loops where they can be. */
export function* slotsText(body: Body, text: SlotText): Generator<void, string[]> {
  const structure = body.entries.size === 0 ? structureJumps(body.edges) : null
  return structure === null ? yield* dispatched(body, text) : yield* structured(body, structure, text)
}

/** As `jump`, but out of the function for slots that are not in it. */
function withLeaving({ start, end, leave }: Body, jump: (to: number) => string): (to: number) => string {
  return (to) => (to >= start && to < end ? jump(to) : leave(to))
}

function* structured(body: Body, structure: readonly Labelled[], text: SlotText): Generator<void, string[]> {
  const { start, end } = body
  const lines: string[] = []
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
    if (index === end) break
    const jump = withLeaving(body, (to) => (to > index ? `break ${blockLabel(to)}` : `continue ${loopLabel(to)}`))
    lines.push(text(index, jump))
  }
  return lines
}

/** Jumps into the middle of loops, or of the function: one loop over a switch, as a machine would do it. */
function* dispatched(body: Body, text: SlotText): Generator<void, string[]> {
  const { start, end, edges, entries } = body
  const targets = new Set(entries)
  for (const { to } of edges) targets.add(to)
  const lines = [entries.size === 0 ? `let pc=${start}` : '', 'D:for(;;){switch(pc){', `case ${start}:`]
  const jump = withLeaving(body, (to) => `{pc=${to};continue D}`)
  for (let index = start; index < end; index++) {
    if (index % PIECES_BETWEEN_YIELDS === 0) yield
    if (targets.has(index) && index !== start) lines.push(`case ${index}:`)
    lines.push(text(index, jump))
  }
  lines.push('}break}')
  return lines
}
