export * from '@vring/layout'
