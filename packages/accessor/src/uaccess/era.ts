import type { AccessorOption } from '../contract/accessor-options.ts'

/**
 * Which kernel's forms of user access an accessor takes. They are x86-64 of early 2019 (Linux 5.0), Linux 6.18, or
 * Linux 6.18 with vhost's scalar accesses checked (commit 3b34d6324d1f, posted November 2025).
 */
export type Era = '2019' | '6.18' | '2025-checked'

/** All eras, oldest first. */
export const ERAS: readonly Era[] = ['2019', '6.18', '2025-checked']

/** The option that every accessor with kernel forms takes. */
export const eraOption: AccessorOption = {
  name: 'era',
  values: ERAS,
  default: '2019',
  description: 'whose forms of user access: Linux 5.0, Linux 6.18, or 6.18 with vhost scalars checked',
}
