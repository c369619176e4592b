export * from '@vring/linux'
