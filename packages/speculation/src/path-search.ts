import type { LeakKind, PathPlan, SpeculatingCpu, TransientLoad } from './speculating-cpu.ts'

/** One way to mislead the code; the shortest path of each kind at each branch is kept. */
export interface SpeculationFinding {
  readonly kind: LeakKind
  /** The ring that the driver prepared, or the program. */
  readonly ring: string
  /** Functions whose branches were mispredicted, in order. */
  readonly branches: readonly string[]
  /** For people: what was loaded, or which observations differed. */
  readonly detail: string
}

/** Two words that differ in every field a device reads: bits of flags stay NEXT, so that chains go on. */
const SECRETS: readonly (readonly number[])[] = [[0x0003_0001], [0x0005_0001], [0x0001_4000]]

/**
 * Follows every path of up to `depth` mispredicted branches. A path that was given a secret is run again with others: what
 * can be observed must not differ.
 */
export class PathSearch {
  readonly depth: number
  readonly window: number
  paths = 0
  mispredictedPaths = 0
  strayUserLoads = 0
  readonly #findings = new Map<string, SpeculationFinding>()

  /**
   * @param depth mispredicted branches on one path
   * @param window port operations that execute transiently after the first misprediction
   */
  constructor(depth: number, window: number) {
    this.depth = depth
    this.window = window
  }

  get findings(): SpeculationFinding[] {
    return [...this.#findings.values()]
  }

  /** @param run runs one path in a world of its own, always from the same start */
  follow(ring: string, run: (plan: PathPlan) => SpeculatingCpu, mispredict: readonly number[] = []): void {
    const plan: PathPlan = { mispredict, window: this.window, secret: SECRETS[0]! }
    const cpu = run(plan)
    this.paths++
    if (cpu.transientFrom >= 0) this.mispredictedPaths++
    this.strayUserLoads += cpu.strayUserLoads
    for (const leak of cpu.leaks) this.#note(leak.kind, ring, cpu, plan, describeLoad(leak))
    // Without a secret on the path, another one changes nothing.
    if (cpu.secretsGiven > 0)
      for (const secret of SECRETS.slice(1)) {
        const other = run({ ...plan, secret })
        const address = firstDifference(cpu.addresses, other.addresses)
        if (address !== null) this.#note('secret-reached-address', ring, cpu, plan, address)
        const branch = firstDifference(cpu.transientBranches, other.transientBranches)
        if (branch !== null) this.#note('secret-reached-branch', ring, cpu, plan, branch)
      }
    if (mispredict.length === this.depth) return
    for (let next = (mispredict.at(-1) ?? -1) + 1; next < cpu.branches.length; next++)
      this.follow(ring, run, [...mispredict, next])
  }

  #note(kind: LeakKind, ring: string, cpu: SpeculatingCpu, plan: PathPlan, detail: string): void {
    const branches = plan.mispredict.map((ordinal) => cpu.branches[ordinal] ?? 'unknown')
    const key = `${kind}|${ring}|${branches[0]}`
    const known = this.#findings.get(key)
    if (known === undefined || known.branches.length > branches.length)
      this.#findings.set(key, { kind, ring, branches, detail })
  }
}

function describeLoad({ object, offset, length }: TransientLoad): string {
  const at = offset < 0 ? `${-offset} bytes before` : `at byte ${offset} of`
  return `${length}-byte load ${at} the ${object}`
}

/** The first observation in which two runs differ, for people; null when they do not. */
function firstDifference(a: readonly string[], b: readonly string[]): string | null {
  const length = Math.max(a.length, b.length)
  for (let i = 0; i < length; i++)
    if (a[i] !== b[i]) return `with one secret ${a[i] ?? 'nothing further'}, with another ${b[i] ?? 'nothing'}`
  return null
}
