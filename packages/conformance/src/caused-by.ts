/** How messages name an access: its area, its method. */
export const ACCESS: RegExp = /\b(desc|driver|device)\.(?:load|store)\w+/

const AREA = /\b(desc|driver|device)\b/

/** Before the access that came before a failure which names none. */
export const LAST_ACCESS = '; last access: '

/** Suites whose cases ask for what all others build on: that values arrive, and that an area ends. */
const BASIC: readonly string[] = ['gate', 'bounds']

interface Judged {
  readonly suite: string
  readonly title: string
  readonly failure: string | null
}

/**
 * Finds the failures that follow from an earlier one: those that name the same access, those in an area whose basic cases
 * fail already, and those of a whole ring, which name no area, where a basic case fails.
 */
export function causedBy<T extends Judged>(results: readonly T[]): (T & { readonly follows: string | null })[] {
  const byAccess = new Map<string, string>()
  const byArea = new Map<string, string>()
  let basic: string | null = null
  return results.map((result) => {
    const [text = ''] = (result.failure ?? '').split(LAST_ACCESS)
    const [access = ''] = ACCESS.exec(text) ?? []
    const [area = ''] = AREA.exec(text) ?? []
    const follows = byAccess.get(access) ?? byArea.get(area) ?? (area === '' ? basic : null)
    const cause = follows ?? result.title
    if (access !== '' && !byAccess.has(access)) byAccess.set(access, cause)
    if (area !== '' && BASIC.includes(result.suite) && !byArea.has(area)) byArea.set(area, cause)
    if (result.failure !== null && BASIC.includes(result.suite)) basic ??= cause
    return { ...result, follows: result.failure === null ? null : follows }
  })
}
