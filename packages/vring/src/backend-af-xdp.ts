export * from '@vring/backend-af-xdp'
