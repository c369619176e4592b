import type { PathHistory } from './path-history.ts'
import type { Site } from './site.ts'
import type { VerifierState } from './state.ts'
import type { StoredState } from './stored-states.ts'

/** Branches that wait to be followed. Source: Linux BPF_COMPLEXITY_LIMIT_JMP_SEQ. */
const PENDING_PATHS_MAX = 8192

/** A path that is still to be followed. */
interface Pending {
  readonly state: VerifierState
  readonly index: number
  readonly parent: StoredState | null
}

/** The path that is followed, and those that wait. */
export class Paths {
  readonly #history: PathHistory
  readonly #pending: Pending[] = []
  /** The last state that the path has kept. */
  #parent: StoredState | null = null

  constructor(history: PathHistory) {
    this.#history = history
  }

  /** A first path, after all others have ended. */
  begin(): void {
    this.#parent = null
  }

  /**
   * The path comes to the site's slot with the site's state.
   *
   * @param followed instructions that have been followed so far
   * @returns it is to be followed: nothing has been proved yet that stands for it
   */
  isNew(site: Site, followed: number): boolean {
    if (!this.#history.isJoin(site.index)) return true
    const known = this.#history.visit(site.index, site.state, this.#parent, followed)
    if (known === 'safe') return false
    if (known === 'loop') site.fail('the loop through here never ends: nothing changes from one round to the next')
    this.#parent = known
    return true
  }

  /** Another path goes on at a slot, later. */
  wait(site: Site, state: VerifierState, index: number): void {
    if (this.#pending.length === PENDING_PATHS_MAX)
      site.fail(`more than ${PENDING_PATHS_MAX} branches are still to be followed: a loop has too many rounds`)
    this.#history.fork(this.#parent)
    this.#pending.push({ state, index, parent: this.#parent })
  }

  /** The path has ended. @returns the one that is followed now, the last one that waits */
  next(): { readonly state: VerifierState; readonly index: number } | undefined {
    this.#history.finish(this.#parent)
    const pending = this.#pending.pop()
    this.#parent = pending?.parent ?? null
    return pending
  }
}
