export * from '@vring/accessor-vmap-direct'
