import { type AccessorSpec, parseAccessor, type Registry } from '@vring/registry'
import { startError } from '../serve-error.ts'

/**
 * The accessor that `--accessor` names, checked with its options; without it the first in preference that stays safe when a
 * check before an access is mispredicted.
 *
 * @throws ServeError naming --accessor
 */
export function chooseAccessor(given: string | null, registry: Registry): AccessorSpec {
  try {
    return given === null
      ? { name: registry.select({ speculationSafe: true }).chosen, options: {} }
      : parseAccessor(given, registry)
  } catch (error) {
    throw startError('--accessor', error)
  }
}
