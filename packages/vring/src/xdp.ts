export * from '@vring/xdp'
