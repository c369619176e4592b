/**
 * MMU notifiers: how an address space tells those who hold mappings of it that a range is about to change.
 *
 * @packageDocumentation
 */
export type { IntervalNotifier, IntervalNotifierOps } from './interval-notifier.ts'
export * from './interval-notifier-tree.ts'
export * from './mmu-notifier-list.ts'
export * from './range-notifier.ts'
export * from './sync/index.ts'
