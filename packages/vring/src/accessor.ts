export * from '@vring/accessor'
