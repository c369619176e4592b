/** A stretch of slots that becomes one labelled JavaScript statement. */
export interface Labelled {
  /** First slot inside. */
  open: number
  /** First slot after it. */
  close: number
  /** `block`: `break` to it goes forward to `close`. `loop`: `continue` to it goes back to `open`. */
  readonly kind: 'block' | 'loop'
  readonly label: string
}

/** One jump that some path takes. */
export interface Edge {
  readonly from: number
  readonly to: number
}

/** Deeper nesting than this is left to a dispatch loop: engines bound the depth of their parsers. */
const NESTING_MAX = 500

/** Label of the block that a forward jump to `target` leaves. */
export function blockLabel(target: number): string {
  return `F${target}`
}

/** Label of the loop that a backward jump to `target` continues. */
export function loopLabel(target: number): string {
  return `L${target}`
}

/**
 * Lays jumps out as nested labelled blocks and loops, so that the engine's optimiser sees structured control flow:
 *
 * ```
 *   if (..) goto 9      F9: { ... if (..) break F9 ... }      (forward)
 *   goto 4              L4: for (;;) { ... continue L4 ... break L4 }      (back)
 * ```
 *
 * @returns the statements, outer before inner, or null: a jump leads into the middle of a loop
 */
export function structureJumps(edges: readonly Edge[]): readonly Labelled[] | null {
  const statements = collect(edges)
  if (statements.length > NESTING_MAX || !nest(statements)) return null
  return statements.sort(
    (a, b) => a.open - b.open || b.close - a.close || (a.kind === b.kind ? 0 : a.kind === 'block' ? -1 : 1),
  )
}

/** One block per forward target, one loop per backward target, as short as their jumps allow. */
function collect(edges: readonly Edge[]): Labelled[] {
  const byLabel = new Map<string, Labelled>()
  for (const { from, to } of edges) {
    const kind = to > from ? 'block' : 'loop'
    const label = kind === 'block' ? blockLabel(to) : loopLabel(to)
    const known = byLabel.get(label)
    if (known === undefined)
      byLabel.set(
        label,
        kind === 'block' ? { open: from, close: to, kind, label } : { open: to, close: from + 1, kind, label },
      )
    else if (kind === 'block') known.open = Math.min(known.open, from)
    else known.close = Math.max(known.close, from + 1)
  }
  return [...byLabel.values()]
}

/** Stretches statements until none cross. Blocks may begin earlier, loops may end later. */
function nest(statements: readonly Labelled[]): boolean {
  for (let changed = true; changed; ) {
    changed = false
    for (const a of statements) {
      for (const b of statements) {
        const cross = a.open < b.open && b.open < a.close && a.close < b.close
        if (!cross) continue
        if (b.kind === 'block') b.open = a.open
        else if (a.kind === 'loop') a.close = b.close
        else return false
        changed = true
      }
    }
  }
  return true
}
