export * from '@vring/mmu-notifier'
