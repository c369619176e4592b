import { expect, test } from 'vitest'
import { iotlbEntriesFor } from './iotlb-entries.ts'

test('the IOTLB holds every ring at its largest, and chains of 1024 buffers that each lie across pages', () => {
  // Of 32768 entries: descriptors 512 KiB, avail 64 KiB + 6, used 256 KiB + 6, each begun in the middle of a page.
  const ring = 129 + 18 + 66
  const chain = 2 * 1024 + 5
  expect(iotlbEntriesFor(1)).toBe(ring + chain)
  expect(iotlbEntriesFor(2)).toBe(2 * (ring + chain))
  expect(iotlbEntriesFor(256)).toBe(256 * ring + 4 * chain)
})
