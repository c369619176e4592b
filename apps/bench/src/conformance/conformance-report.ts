/** What the kit is asked to examine. Plain data: it goes to a process. */
export interface ConformanceRequest {
  /** Specifiers of all plugins of the run, which this one is among. */
  readonly plugins: readonly string[]
  readonly kind: 'accessor' | 'backend'
  readonly name: string
  /** Option values of an accessor; null: the defaults, then each other value of each option. */
  readonly options: Readonly<Record<string, string>> | null
  /** The text that a backend is made from; default none. */
  readonly argument?: string | null
}

/** One case of one plugin, of either kind. */
export interface ConformanceCase {
  readonly suite: string
  readonly title: string
  readonly failure: string | null
  /** Of an accessor: option values beside the defaults, and the earlier case that failed for the same cause. */
  readonly options?: string
  readonly follows?: string | null
}

/** What came of one plugin. */
export interface ConformanceReport {
  readonly plugin: string
  readonly kind: 'accessor' | 'backend'
  readonly cases: readonly ConformanceCase[]
  /** Cases that could not be asked, because the kit neither brings frames in nor sees those that leave; default 0. */
  readonly unseen?: number
}

export function failedCases({ cases }: ConformanceReport): ConformanceCase[] {
  return cases.filter(({ failure }) => failure !== null)
}

/** A line a cause, with how many more cases fail for it. */
export function causesOf(report: ConformanceReport): string[] {
  const failed = failedCases(report)
  return failed
    .filter(({ follows = null }) => follows === null)
    .map(({ suite, title, options = '', failure }) => {
      const more = failed.filter((one) => one.follows === title && (one.options ?? '') === options).length
      const also = more === 0 ? '' : ` (and ${more} more ${more === 1 ? 'case' : 'cases'})`
      const where = options === '' ? suite : `${options}: ${suite}`
      return `${where}: ${title}: ${failure!.replaceAll(/\s+/g, ' ')}${also}`
    })
}
