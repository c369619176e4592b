export * from '@vring/accessor-copy-checked'
