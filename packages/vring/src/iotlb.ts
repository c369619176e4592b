export * from '@vring/iotlb'
