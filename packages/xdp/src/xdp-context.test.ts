import { EACCES, EINVAL } from '@vring/layout'
import { describe, expect, test } from 'vitest'
import { XdpContext } from './index.ts'
import { copyFrame } from './xdp-fragment.ts'

/** A frame of 60 bytes of 1s with 32 bytes of headroom and 16 of tailroom of 2s. */
function context(): XdpContext {
  const u8 = new Uint8Array(128).fill(2)
  u8.fill(1, 32, 92)
  const one = new XdpContext()
  one.setFrame(u8, 32, 60, 32, 16)
  return one
}

describe('head adjustment', () => {
  test('prepends from the headroom and removes from the front', () => {
    const one = context()
    expect(one.adjustHead(-4)).toBe(0)
    expect(one.data).toBe(28)
    expect(one.adjustHead(18)).toBe(0)
    expect([one.data, one.dataMeta, one.dataEnd]).toEqual([46, 46, 92])
  })

  test('stops at the headroom and leaves an Ethernet header', () => {
    const one = context()
    expect(one.adjustHead(-33)).toBe(EINVAL)
    expect(one.adjustHead(47)).toBe(EINVAL)
    expect(one.data).toBe(32)
    expect(one.adjustHead(46)).toBe(0)
    expect(one.adjustHead(-78)).toBe(0)
    expect(one.data).toBe(0)
  })

  test('takes the metadata along', () => {
    const one = context()
    expect(one.adjustMeta(-8)).toBe(0)
    one.u8.set([9, 8, 7, 6, 5, 4, 3, 2], one.dataMeta)
    expect(one.adjustHead(-25)).toBe(EINVAL)
    expect(one.adjustHead(-24)).toBe(0)
    expect(one.dataMeta).toBe(0)
    expect([...one.u8.subarray(0, 8)]).toEqual([9, 8, 7, 6, 5, 4, 3, 2])
  })

  test('is refused in a frame without headroom', () => {
    const one = new XdpContext()
    one.setFrame(new Uint8Array(64), 0, 64)
    expect(one.adjustHead(-1)).toBe(EINVAL)
    expect(one.adjustTail(1)).toBe(EINVAL)
    expect(one.adjustMeta(-4)).toBe(EINVAL)
  })
})

describe('tail adjustment', () => {
  test('grows with zeros up to the tailroom', () => {
    const one = context()
    expect(one.adjustTail(17)).toBe(EINVAL)
    expect(one.adjustTail(16)).toBe(0)
    expect([...one.u8.subarray(92, 108)]).toEqual(new Array(16).fill(0))
    expect(one.u8[108]).toBe(2)
  })

  test('cuts down to an Ethernet header', () => {
    const one = context()
    expect(one.adjustTail(-47)).toBe(EINVAL)
    expect(one.adjustTail(-46)).toBe(0)
    expect(one.dataEnd - one.data).toBe(14)
  })
})

describe('metadata adjustment', () => {
  test('wants multiples of 4 bytes within the headroom and not into the frame', () => {
    const one = context()
    expect(one.adjustMeta(-3)).toBe(EACCES)
    expect(one.adjustMeta(1)).toBe(EINVAL)
    expect(one.adjustMeta(-36)).toBe(EINVAL)
    expect(one.adjustMeta(-32)).toBe(0)
    expect(one.adjustMeta(32)).toBe(0)
  })

  test('stops at 252 bytes', () => {
    const one = new XdpContext()
    one.setFrame(new Uint8Array(1024), 512, 64, 512)
    expect(one.adjustMeta(-256)).toBe(EACCES)
    expect(one.adjustMeta(-252)).toBe(0)
  })
})

describe('a frame of several pieces', () => {
  /** 20 bytes in three pieces of 14, 4 and 2, numbered from 0. */
  function pieces(): XdpContext {
    const context = new XdpContext()
    context.setFrame(
      Uint8Array.from({ length: 14 }, (_, i) => i),
      0,
      14,
    )
    context.addFragment(Uint8Array.of(0xff, 14, 15, 16, 17, 0xff), 1, 4)
    context.addFragment(Uint8Array.of(18, 19, 0xff, 0xff), 0, 2, 1)
    return context
  }

  test('is copied out and in wherever its pieces part', () => {
    const context = pieces()
    expect(context.frameBytes).toBe(20)
    for (let offset = 0; offset <= 20; offset++) {
      for (let bytes = 0; bytes <= 20 - offset; bytes++) {
        const copy = new Uint8Array(22).fill(0xee)
        copyFrame(context, offset, copy, 1, bytes, false)
        const expected = new Uint8Array(22).fill(0xee)
        for (let i = 0; i < bytes; i++) expected[1 + i] = offset + i
        expect(copy).toEqual(expected)
      }
    }
    copyFrame(context, 13, Uint8Array.of(1, 2, 3, 4, 5, 6, 7), 0, 7, true)
    expect([context.u8[13], ...context.fragments.map((one) => [...one.u8])]).toEqual([
      1,
      [0xff, 2, 3, 4, 5, 0xff],
      [6, 7, 0xff, 0xff],
    ])
  })

  test('grows in its last piece, with zeros', () => {
    const context = pieces()
    expect([context.adjustTail(2), context.adjustTail(1), context.frameBytes]).toEqual([EINVAL, 0, 21])
    expect([...context.fragments[1]!.u8]).toEqual([18, 19, 0, 0xff])
  })

  test('is cut from its last piece on, down to an Ethernet header', () => {
    const context = pieces()
    expect([context.adjustTail(-3), context.frameBytes, context.fragments.length]).toEqual([0, 17, 1])
    expect([context.adjustTail(-4), context.frameBytes]).toEqual([EINVAL, 17])
    expect([context.adjustTail(-3), context.frameBytes, context.fragments.length]).toEqual([0, 14, 0])
  })

  test('the next frame has none of its pieces', () => {
    const context = pieces()
    context.setFrame(new Uint8Array(60), 0, 60)
    expect([context.frameBytes, context.fragments.length]).toEqual([60, 0])
  })
})
