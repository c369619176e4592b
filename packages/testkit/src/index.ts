/**
 * The small machine that tests of the device side share: one virtqueue in paged memory, its driver, and an accessor.
 *
 * @packageDocumentation
 */
export * from './world.ts'
export * from './world-driver.ts'
