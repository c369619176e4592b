import { Session } from 'node:inspector/promises'

/** Which code of a bundle was executed, by V8's block coverage. What V8 says nothing of counts as executed. */
export class ReachedCode {
  readonly #counts: Int32Array
  readonly #bundle: string

  private constructor(bundle: string, counts: Int32Array) {
    this.#bundle = bundle
    this.#counts = counts
  }

  /** @param work runs the bundle, under the name `filename` */
  static async of(bundle: string, filename: string, work: () => void): Promise<ReachedCode> {
    const session = new Session()
    session.connect()
    try {
      await session.post('Profiler.enable')
      await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
      work()
      const { result } = await session.post('Profiler.takePreciseCoverage')
      const script = result.find(({ url }) => url.endsWith(filename))
      if (script === undefined) throw new Error(`V8 knows no script that is called ${filename}`)
      const counts = new Int32Array(bundle.length).fill(1)
      // Ranges of a function come from the outermost to the innermost, and a function after the one around it.
      for (const { ranges } of script.functions)
        for (const { startOffset, endOffset, count } of ranges) counts.fill(count, startOffset, endOffset)
      return new ReachedCode(bundle, counts)
    } finally {
      session.disconnect()
    }
  }

  /** Was any of the code executed in which `mutated` differs from the bundle, from the first difference to the last? */
  meets(mutated: string): boolean {
    const shipped = this.#bundle
    let from = 0
    while (from < shipped.length && shipped[from] === mutated[from]) from++
    let cut = 0
    const most = Math.min(shipped.length, mutated.length) - from
    while (cut < most && shipped.at(-1 - cut) === mutated.at(-1 - cut)) cut++
    const to = Math.max(shipped.length - cut, from + 1)
    // V8 counts no spaces between two ranges.
    return this.#counts.subarray(from, to).some((count, at) => count > 0 && shipped[from + at]!.trim() !== '')
  }
}
