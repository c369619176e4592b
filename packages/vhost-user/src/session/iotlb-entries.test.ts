import { expect, test } from 'vitest'
import { iotlbEntriesFor } from './iotlb-entries.ts'

test('the IOTLB holds every ring at its largest, and a frame in as many pieces and tables as it may have', () => {
  // Of 32768 entries: descriptors 512 KiB, avail 64 KiB + 6, used 256 KiB + 6, each begun in the middle of a page.
  const ring = 129 + 18 + 66
  // 1024 buffers across two pages each, 64 KiB; 256 tables across two pages each, of 3072 descriptors.
  const frame = 2 * 1024 + 17 + (2 * 256 + 12)
  expect(iotlbEntriesFor(1)).toBe(ring + frame)
  expect(iotlbEntriesFor(2)).toBe(2 * (ring + frame))
  expect(iotlbEntriesFor(256)).toBe(256 * ring + 4 * frame)
})
