import type { AccessorOptions } from './accessor-options.ts'
import type { AccessorPlugin } from './define-accessor.ts'

/** What an accessor can do: the only way a conformance test is skipped, and what selection reads. */
export interface AccessorSupports {
  /** Reaches file-backed memory itself (false: must fall back or is not selected). */
  readonly fileBacked: boolean
  /** Works with a device IOTLB. */
  readonly iotlb: boolean
  /** Works without a device IOTLB. */
  readonly noIotlb: boolean
  /** Needs an address space that calls MMU notifiers. */
  readonly needsMmuNotifier: boolean
  /** Is only faster when rounds begin with metadata prefetch. */
  readonly needsPrefetch: boolean
  /** Leaves no check of its own that a mispredicted branch can pass without a barrier or a data dependency. */
  readonly speculationSafe: boolean
  /** Goes on, access by access, when the fast way is refused. */
  readonly fallsBack: boolean
}

/** The names of its fields. */
export const ACCESSOR_SUPPORTS: readonly (keyof AccessorSupports)[] = [
  'fileBacked',
  'iotlb',
  'noIotlb',
  'needsMmuNotifier',
  'needsPrefetch',
  'speculationSafe',
  'fallsBack',
]

/** What a plugin supports with the given option values, and the defaults of the others. */
export function supportsOf(plugin: AccessorPlugin, options: AccessorOptions): AccessorSupports {
  const changes = plugin.options.map(({ name, supports }) => supports?.[options[name] ?? ''])
  return Object.assign({}, plugin.supports, ...changes)
}
