import { ACCESS_READ, ACCESS_WRITE } from '@vring/memory'
import { describe, expect, test } from 'vitest'
import { BUFFERS, WorstRequests } from './worst-case/worst-requests.ts'

describe.each([false, true])('a hostile driver of a device that answers requests (packed: %s)', (packed) => {
  function started(options: { readonly entryBytes?: number; readonly viewBytes?: number } = {}): WorstRequests {
    const worst = new WorstRequests({ packed, queueSize: 256, ...options })
    worst.start()
    return worst
  }

  test('a refused request with room for more than a request may have: none of it is written, and none said to be', () => {
    const worst = started()
    const bytes = new Uint8Array(worst.memory.buffer, BUFFERS, 0x1_0000)
    bytes.fill(7)
    // 1023 buffers over the same 64 KiB.
    worst.tables(1024, bytes.length, 99)
    expect(worst.serve()).toBeGreaterThan(0)
    expect(worst.driver.getUsed()).toBe(true)
    expect(worst.driver.usedLength).toBe(0)
    // The status is where it is expected.
    expect([bytes.at(-1), bytes.subarray(0, -1).every((byte) => byte === 7)]).toEqual([2, true])
  })

  test('a request whose buffers wait for a translation is no error: it is taken when that is there', () => {
    const worst = started({ entryBytes: 4096 })
    const missing = BUFFERS + 4096 * 4000
    worst.one(missing, 513)
    expect([worst.serve(), worst.driver.getUsed()]).toEqual([0, false])
    expect(worst.iotlb!.takeMisses()).toEqual([{ iova: missing, perm: ACCESS_WRITE }])
    worst.iotlb!.update(missing, 4096, BUFFERS, ACCESS_READ | ACCESS_WRITE)
    expect([worst.serve(), worst.driver.getUsed(), worst.driver.usedLength]).toEqual([1, true, 513])
    expect(worst.memory.getUint8(BUFFERS + 512)).toBe(0)
  })

  test('no more views are made for a request than a turn allows: it is taken when they are there', () => {
    const worst = started({ viewBytes: 4096 })
    const { space } = worst
    worst.one(BUFFERS + 2048, 3 * 4096 + 1)
    for (let turn = 0; turn < 3; turn++) {
      space.viewsLeft = 1
      space.deferred = false
      expect([worst.serve(), space.deferred]).toEqual([0, true])
    }
    space.viewsLeft = 1
    expect([worst.serve(), worst.driver.getUsed(), worst.driver.usedLength]).toEqual([1, true, 3 * 4096 + 1])
  })
})
