export * from '@vring/registry'
