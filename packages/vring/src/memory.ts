export * from '@vring/memory'
