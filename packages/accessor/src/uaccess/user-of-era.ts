import type { AccessorContext } from '../contract/accessor.ts'
import { CheckedScalarsUser2025, CheckedUser618, CheckedUser2019 } from './checked-user.ts'
import { UncheckedUser618, UncheckedUser2019 } from './unchecked-user.ts'
import type { UserAccess } from './user-access.ts'
import type { UserCopy } from './user-copy.ts'

/** `__get_user` and its kind in an era: what vhost takes, on ranges that were checked when the ring's addresses were set. */
export function uncheckedUser({ cpu, space }: AccessorContext, era: string | undefined): UserAccess & UserCopy {
  if (era === '6.18') return new UncheckedUser618(cpu, space)
  if (era === '2025-checked') return new CheckedScalarsUser2025(cpu, space)
  return new UncheckedUser2019(cpu, space)
}

/** `get_user` and its kind in an era: what the patch of January 2019 proposed. */
export function checkedUser({ cpu, space }: AccessorContext, era: string | undefined): UserAccess & UserCopy {
  if (era === '6.18') return new CheckedUser618(cpu, space)
  if (era === '2025-checked') return new CheckedScalarsUser2025(cpu, space)
  return new CheckedUser2019(cpu, space)
}
