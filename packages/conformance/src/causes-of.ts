import type { Area } from '@vring/layout'
import type { AssertionFailure } from './conformance-case.ts'

/** Suites whose cases ask for what all others build on: that values arrive, and that an area ends. */
const BASIC: readonly string[] = ['gate', 'bounds']

/** What came of one case. */
export interface Judged {
  readonly suite: string
  readonly title: string
  readonly failure: AssertionFailure | null
}

/**
 * Title of the earlier case whose failure each one follows from, or null. It is given for those at the same access, and
 * for those in an area whose basic cases fail already. Those of a whole ring are in no one area: they follow where a
 * basic case fails.
 */
export function causesOf(results: readonly Judged[]): (string | null)[] {
  const byAccess = new Map<string, string>()
  const byArea = new Map<Area, string>()
  let basic: string | null = null
  return results.map(({ suite, title, failure }) => {
    if (failure === null) return null
    const { area, method } = failure
    const access = `${area}.${method}`
    const earlier = area === null ? basic : (byAccess.get(access) ?? byArea.get(area) ?? null)
    const cause = earlier ?? title
    if (method !== null && !byAccess.has(access)) byAccess.set(access, cause)
    if (BASIC.includes(suite)) {
      basic ??= cause
      if (area !== null && !byArea.has(area)) byArea.set(area, cause)
    }
    return earlier
  })
}
