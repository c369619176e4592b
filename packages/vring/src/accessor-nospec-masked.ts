export * from '@vring/accessor-nospec-masked'
