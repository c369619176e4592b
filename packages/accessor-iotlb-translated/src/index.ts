/**
 * The accessor `iotlb-translated`: ring addresses are IOVAs that a device IOTLB translates, with metadata prefetch.
 *
 * @packageDocumentation
 */
export * from './iotlb-translated.ts'
export * from './steps.ts'
