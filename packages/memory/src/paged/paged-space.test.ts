import { EFAULT, EXDEV } from '@vring/layout'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../../test/code-of.ts'
import { ACCESS_READ, ACCESS_WRITE } from '../address-map.ts'
import { PagedSpace } from './paged-space.ts'
import { PAGE_POISON, PhysicalMemory } from './physical-memory.ts'

const PAGE = 4096

describe('PagedSpace', () => {
  it('faults a page in at its first access, zeroed, and finds it again', () => {
    const space = new PagedSpace({ frames: 16 })
    const address = space.mmap({ length: 2 * PAGE })
    expect(space.physical.freeFrames).toBe(16)
    const at = space.resolve(address + 8, 4, ACCESS_WRITE)
    expect(at).toBeGreaterThanOrEqual(0)
    expect(space.view.u32[at >>> 2]).toBe(0)
    space.view.u32[at >>> 2] = 0x12345678
    expect(space.resolve(address + 8, 4, ACCESS_READ)).toBe(at)
    expect(space.physical.freeFrames).toBe(15)
    expect(space.read(address + 8, 4)).toEqual(Uint8Array.of(0x78, 0x56, 0x34, 0x12))
  })

  it('gives -EFAULT outside of every mapping, across its end, at the limit, and for what is no address', () => {
    const space = new PagedSpace({ frames: 16 })
    const address = space.mmap({ length: PAGE })
    space.populate(address, PAGE)
    for (const [at, length] of [
      [address - 1, 1],
      [address + PAGE, 1],
      [address + PAGE - 1, 2],
      [space.limit, 1],
      [2 ** 53, 1],
      [2 ** 64, 1],
      [-1, 1],
      [-address, 1],
      [Number.NaN, 1],
      [address + 0.5, 1],
      [address, Number.NaN],
      [address, 2 ** 60],
      [0, 1],
    ] as const)
      expect(space.resolve(at, length, ACCESS_READ), `${at}+${length}`).toBe(EFAULT)
    for (const [at, length] of [
      [address - 1, 1],
      [address + PAGE, 1],
      [2 ** 53, 1],
      [Number.NaN, 1],
      [address, Number.NaN],
      [address, -1],
    ] as const)
      expect(space.resolveSpan(at, length, ACCESS_READ), `${at}+${length}`).toBe(EFAULT)
    // A span ends where the accessible part does: the caller meets the fault with the next one.
    expect(space.resolveSpan(address + PAGE - 8, 64, ACCESS_READ)).toBeGreaterThanOrEqual(0)
    expect(space.span).toBe(8)
  })

  it('a range over neighbouring frames is one piece; over scattered ones it is -EXDEV and goes by spans', () => {
    const near = new PagedSpace({ frames: 16, allocator: 'contiguous' })
    const a = near.mmap({ length: 3 * PAGE, populate: true })
    expect(near.resolve(a + 4000, 2 * PAGE, ACCESS_READ)).toBe(near.resolve(a, 1, ACCESS_READ) + 4000)

    const far = new PagedSpace({ frames: 16, allocator: 'scattered' })
    const b = far.mmap({ length: 3 * PAGE, populate: true })
    expect(far.resolve(b + 4000, 2 * PAGE, ACCESS_READ)).toBe(EXDEV)
    const bytes = Uint8Array.from({ length: 3 * PAGE }, (_, i) => i % 251)
    far.write(b, bytes)
    expect(far.read(b, 3 * PAGE)).toEqual(bytes)
    expect(far.resolveSpan(b + 4000, 2 * PAGE, ACCESS_READ)).toBeGreaterThanOrEqual(0)
    expect(far.span).toBe(96)
  })

  it('write permission is checked by page, also when the page is in the TLB for reading', () => {
    const space = new PagedSpace({ frames: 16 })
    const address = space.mmap({ length: PAGE, write: false })
    expect(space.resolve(address, 4, ACCESS_READ)).toBeGreaterThanOrEqual(0)
    expect(space.resolve(address, 4, ACCESS_READ)).toBeGreaterThanOrEqual(0)
    expect(space.resolve(address, 4, ACCESS_WRITE)).toBe(EFAULT)
    const secret = space.mmap({ length: PAGE, read: false, write: false })
    expect(space.resolve(secret, 4, ACCESS_READ)).toBe(EFAULT)
  })

  it('runs out of frames with -EFAULT, as a kernel copy does, and goes on when some are free again', () => {
    const space = new PagedSpace({ frames: 2 })
    const address = space.mmap({ length: 3 * PAGE })
    for (let i = 0; i < 2; i++) expect(space.resolve(address + i * PAGE, 1, ACCESS_READ)).toBeGreaterThanOrEqual(0)
    expect(space.resolve(address + 2 * PAGE, 1, ACCESS_READ)).toBe(EFAULT)
    space.munmap(address, PAGE)
    expect(space.resolve(address + 2 * PAGE, 1, ACCESS_READ)).toBeGreaterThanOrEqual(0)
  })

  it('munmap tells listeners before and after, and flushes the TLB in between', () => {
    const space = new PagedSpace({ frames: 16 })
    const address = space.mmap({ length: 4 * PAGE, populate: true })
    const log: string[] = []
    space.notifiers.register({
      name: 'test',
      invalidateRangeStart(range) {
        const there = space.getUserPagesFast(address + PAGE, PAGE, false)
        log.push(
          `start ${range.event} ${range.blockable} ${(range.start - address) / PAGE}..${(range.end - address) / PAGE} ${'frames' in there}`,
        )
        return 0
      },
      invalidateRangeEnd() {
        log.push(`end ${space.resolve(address + PAGE, 1, ACCESS_READ)}`)
      },
    })
    space.munmap(address + PAGE, 2 * PAGE)
    expect(log).toEqual(['start unmap true 1..3 true', `end ${EFAULT}`])
    expect(space.vmas.map((vma) => [(vma.start - address) / PAGE, (vma.end - address) / PAGE])).toEqual([
      [0, 1],
      [3, 4],
    ])
    expect(space.physical.freeFrames).toBe(14)
  })

  it('freed frames are poisoned, and a write to one is found when it is used again', () => {
    const space = new PagedSpace({ frames: 2 })
    const address = space.mmap({ length: PAGE, populate: true })
    const at = space.resolve(address, 4, ACCESS_WRITE)
    space.munmap(address, PAGE)
    expect(space.view.u8[at]).toBe(PAGE_POISON)
    space.view.u8[at + 100] = 1
    space.mmap({ length: PAGE, populate: true })
    expect(space.physical.corruptions).toEqual([{ frame: 0, offset: 100 }])
  })

  it('SMAP: a supervisor access with AC clear is -EFAULT and recorded, also on a TLB hit; the process is free', () => {
    const cpu = { ac: false }
    const space = new PagedSpace({ frames: 4, smap: cpu })
    const address = space.mmap({ length: PAGE, populate: true })
    expect(space.resolve(address, 4, ACCESS_READ)).toBe(EFAULT)
    expect(space.resolveSpan(address, 4, ACCESS_READ)).toBe(EFAULT)
    cpu.ac = true
    expect(space.resolve(address, 4, ACCESS_READ)).toBeGreaterThanOrEqual(0)
    cpu.ac = false
    expect(space.resolve(address, 4, ACCESS_READ)).toBe(EFAULT)
    expect(space.userMode.resolve(address, 4, ACCESS_WRITE)).toBeGreaterThanOrEqual(0)
    expect(space.violations.count).toBe(3)
    expect(space.violations.records[0]).toMatchObject({ kind: 'smap', address })
  })

  it('refuses overlapping, unaligned, empty and wrapping mappings and changes nothing', () => {
    const space = new PagedSpace({ frames: 4 })
    const address = space.mmap({ length: 2 * PAGE })
    expect(codeOf(() => space.mmap({ address: address + PAGE, length: PAGE }))).toBe('ERR_OVERLAP')
    expect(codeOf(() => space.mmap({ address: address + 1, length: PAGE }))).toBe('ERR_MISALIGNED')
    expect(codeOf(() => space.mmap({ length: 100 }))).toBe('ERR_MISALIGNED')
    expect(codeOf(() => space.mmap({ length: 0 }))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => space.mmap({ address: space.limit - PAGE, length: 2 * PAGE }))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => space.mmap({ address: 2 ** 53, length: PAGE }))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => space.mmap({ kind: 'hugetlb', length: PAGE }))).toBe('ERR_MISALIGNED')
    expect(() => space.mmap({ kind: 'nonsense' as never, length: PAGE })).toThrow('kind is nonsense')
    expect(() => space.mremap(address, PAGE, PAGE + 0.5)).toThrow('newLength is 4096.5')
    expect(codeOf(() => space.munmap(address, 0))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => space.munmap(address + 1, PAGE))).toBe('ERR_MISALIGNED')
    expect(codeOf(() => space.munmap(space.limit - PAGE, 2 * PAGE))).toBe('ERR_OUT_OF_RANGE')
    expect(space.vmas).toHaveLength(1)
  })

  it('refuses sizes of memory that a page-table entry cannot hold', () => {
    expect(codeOf(() => new PhysicalMemory({ frames: 0 }))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => new PhysicalMemory({ frames: 2 ** 19 + 1 }))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => new PhysicalMemory({ frames: 4, highmemFrames: 5 }))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => new PagedSpace({ frames: 4, allocator: 'random' as 'scattered' }))).toBe('ERR_INVALID_ARGUMENT')
  })

  it('a listener that throws or starts an operation is named, and the operation is done', () => {
    const space = new PagedSpace({ frames: 4 })
    const address = space.mmap({ length: 2 * PAGE, populate: true })
    space.notifiers.register({
      name: 'culprit',
      invalidateRangeStart() {
        space.munmap(address + PAGE, PAGE)
        return 0
      },
      invalidateRangeEnd() {},
    })
    expect(() => space.munmap(address, PAGE)).toThrow(/culprit.*another/)
    expect(space.vmas).toHaveLength(1)
    expect(space.physical.freeFrames).toBe(3)
  })

  it('close releases listeners and frees everything', () => {
    const space = new PagedSpace({ frames: 4 })
    space.mmap({ length: 2 * PAGE, populate: true })
    let released = 0
    space.notifiers.register({
      name: 'test',
      invalidateRangeStart: () => 0,
      invalidateRangeEnd() {},
      release: () => released++,
    })
    space.close()
    space.close()
    expect(released).toBe(1)
    expect(space.physical.freeFrames).toBe(4)
    expect(codeOf(() => space.mmap({ length: PAGE }))).toBe('ERR_CLOSED')
  })
})
