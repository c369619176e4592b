import { EFAULT } from '@vring/layout'
import { describe, expect, it } from 'vitest'
import { DirtyBitmap } from './dirty-log.ts'
import { GuestMap } from './guest-map.ts'
import { PagedSpace } from './paged/paged-space.ts'
import { UserDirtyLog } from './user-dirty-log.ts'

const PAGE = 4096
const USER = 0x7f00_0000_0000

/** User pages 0..3 are guest pages 0..3; user pages 2..3 are also guest pages 8..9; user pages 4..5 are 16..17. */
function setup() {
  const bitmap = DirtyBitmap.forGuest(17 * PAGE)
  const map = new GuestMap(new PagedSpace({ frames: 1 }), [
    { guestAddress: 0, length: 4 * PAGE, userAddress: USER },
    { guestAddress: 8 * PAGE, length: 2 * PAGE, userAddress: USER + 2 * PAGE },
    { guestAddress: 16 * PAGE, length: 2 * PAGE, userAddress: USER + 4 * PAGE },
    { guestAddress: 64 * PAGE, length: PAGE, userAddress: USER + 8 * PAGE },
  ])
  return { bitmap, log: new UserDirtyLog(map, bitmap) }
}

describe('UserDirtyLog', () => {
  it('notes memory in every slot that shows it', () => {
    const { bitmap, log } = setup()
    expect(log.write(USER + 2 * PAGE, 1)).toBe(0)
    expect(bitmap.take()).toEqual([2, 8])
  })

  it('goes on from slot to slot where a range crosses their ends', () => {
    const { bitmap, log } = setup()
    expect(log.write(USER + 2 * PAGE - 1, 2 * PAGE + 2)).toBe(0)
    expect(bitmap.take()).toEqual([1, 2, 3, 8, 9, 16])
  })

  it('is -EFAULT for what is in no slot or past the end of the log; what comes before it is noted', () => {
    const { bitmap, log } = setup()
    expect(log.write(USER + 6 * PAGE - 1, 2)).toBe(EFAULT)
    expect(bitmap.take()).toEqual([17])
    expect(log.write(USER - 1, 1)).toBe(EFAULT)
    expect(log.write(USER + 8 * PAGE, 1)).toBe(EFAULT)
    expect(log.write(Number.NaN, 1)).toBe(EFAULT)
    expect(log.write(USER, 0)).toBe(0)
    expect(bitmap.take()).toEqual([])
  })
})
