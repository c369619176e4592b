import { isVringError } from '@vring/layout'

/** The code of the VringError that is thrown; `no error` if nothing is. */
export function codeOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (isVringError(error)) return error.code
    throw error
  }
  return 'no error'
}
