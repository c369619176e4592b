export * from '@vring/accessor-iotlb-translated'
