/**
 * MMU notifiers: how an address space tells those who hold mappings of it that a range is about to change.
 *
 * @packageDocumentation
 */
export * from './range-notifier.ts'
