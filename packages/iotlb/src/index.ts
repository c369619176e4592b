/**
 * Device IOTLB: what the driver's IOMMU tells the device, one range of IOVAs at a time.
 *
 * @packageDocumentation
 */
export * from './device-iotlb.ts'
export * from './iotlb.ts'
export * from './iotlb-buffer-map.ts'
export * from './iotlb-dirty-log.ts'
