/** How deep the frames of one function that is verified alone are, and where it calls others of these. */
export interface OwnDepth {
  /** Most frames at once, its own included. */
  frames: number
  /** Functions that it calls: by their start, frames at the deepest call, and the slot of that. */
  readonly calls: Map<number, { readonly frames: number; readonly index: number }>
}

/** A call by which frames become too many. */
export interface TooDeep {
  /** Slot of the call. */
  readonly index: number
  readonly isRecursive: boolean
}

/**
 * Functions that are verified alone do not see how deep their caller is: the frames of a whole run are added up here.
 * Source: Linux kernel/bpf/verifier.c, check_max_stack_depth.
 *
 * @param depths by first slot
 * @returns undefined if no run that starts at slot 0 has more than `limit` frames
 */
export function findTooDeep(depths: ReadonlyMap<number, OwnDepth>, limit: number): TooDeep | undefined {
  const known = new Map<number, number>()
  const open = new Set<number>()
  const framesFrom = (start: number): number | TooDeep => {
    const before = known.get(start)
    if (before !== undefined) return before
    const own = depths.get(start)!
    open.add(start)
    let most = own.frames
    for (const [target, { frames, index }] of own.calls) {
      if (open.has(target)) return { index, isRecursive: true }
      const inner = framesFrom(target)
      if (typeof inner !== 'number') return inner
      most = Math.max(most, frames + inner)
      if (most > limit) return { index, isRecursive: false }
    }
    open.delete(start)
    known.set(start, most)
    return most
  }
  const found = framesFrom(0)
  return typeof found === 'number' ? undefined : found
}
