import { expect } from 'vitest'
import type { BrokenReason } from '../src/index.ts'
import type { FlatQueue } from './flat-queue.ts'

/**
 * The next look breaks the queue for `reason`, and it stays broken: no more chains, no used entries, no notification,
 * no write, whatever the driver does then.
 */
export function expectLatched({ device, space, batch }: FlatQueue, reason: BrokenReason): void {
  const before = new Uint8Array(space.view.buffer.slice(0))
  expect(device.popBatch(batch, 64)).toBeLessThan(0)
  expect(device.broken).toBe(reason)
  space.end = 1 << 20
  expect(device.popBatch(batch, 64)).toBeLessThan(0)
  device.push(batch, 0, 0)
  expect(device.flush()).toBeLessThan(0)
  expect(device.needsNotification()).toBe(false)
  expect(device.enableNotification()).toBeLessThan(0)
  expect(device.hasMore()).toBeLessThan(0)
  device.disableNotification()
  expect(Buffer.compare(space.view.u8, before)).toBe(0)
}
