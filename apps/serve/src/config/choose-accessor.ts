import { type AccessorSpec, parseAccessor, type Registry } from '@vring/registry'
import { attempt } from '../serve-error.ts'

/**
 * The accessor that `--accessor` names, checked with its options; without it the first in preference that stays safe when a
 * check before an access is mispredicted.
 *
 * @throws ServeError naming --accessor
 */
export function chooseAccessor(given: string | null, registry: Registry): AccessorSpec {
  return attempt('--accessor', () =>
    given === null
      ? { name: registry.select({ speculationSafe: true }).chosen, options: {} }
      : parseAccessor(given, registry),
  )
}
