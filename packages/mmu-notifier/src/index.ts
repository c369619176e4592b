/**
 * MMU notifiers: how an address space tells those who hold mappings of it that a range is about to change.
 *
 * @packageDocumentation
 */
export type { IntervalNotifier, IntervalNotifierOps, IntervalNotifiers } from './interval-notifier.ts'
export * from './interval-notifier-tree.ts'
export * from './mmu-notifier.ts'
export * from './mmu-notifier-list.ts'
export * from './mmu-notifier-range.ts'
export * from './sync/index.ts'
