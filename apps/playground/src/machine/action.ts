import type { AccessorOptions } from '@vring/accessor'
import type { RegionName } from './layout.ts'
import type { MemoryEventName } from './memory-events.ts'

/** What the driver makes available. `loop` is what a hostile one does: a chain that leads back into itself. */
export type ChainShape = 'buffer' | 'chain' | 'indirect' | 'loop'

/** An accessor and its options; one that is left out has its default. */
export interface AccessorChoice {
  readonly name: string
  readonly options: AccessorOptions
}

/** What driver, kernel and IOMMU may do at any moment, between two accesses of a round too. */
export type ConcurrentAction =
  | { readonly kind: 'add'; readonly shape: ChainShape }
  | { readonly kind: 'publish' }
  | { readonly kind: 'take-used' }
  | { readonly kind: 'memory'; readonly event: MemoryEventName; readonly region: RegionName }
  | { readonly kind: 'answer-misses' }
  | { readonly kind: 'translate-all' }
  | { readonly kind: 'iotlb-invalidate' }

/** What happens between two rounds. */
export type Action =
  | ConcurrentAction
  | { readonly kind: 'round'; readonly injections: readonly Injection[] }
  | { readonly kind: 'switch'; readonly accessor: AccessorChoice }
  | { readonly kind: 'set-up' }

/** Something that happens while a round runs: after its `after`-th hook, of which every access is one. */
export interface Injection {
  readonly after: number
  readonly action: ConcurrentAction
}

/** A round that nothing disturbs. */
export const ROUND: Action = { kind: 'round', injections: [] }

/** May it happen in the middle of a round? */
export function isConcurrent(action: Action): action is ConcurrentAction {
  return action.kind !== 'round' && action.kind !== 'switch' && action.kind !== 'set-up'
}
