export * from '@vring/virtqueue'
