import { EAGAIN, EFAULT, isVringError } from '@vring/layout'
import type { MmuNotifierRange } from '@vring/mmu-notifier'
import { describe, expect, it } from 'vitest'
import { ACCESS_READ, ACCESS_WRITE } from '../../address-map.ts'
import { HUGE_BYTES } from '../../page-size.ts'
import { auditFrames } from '../audit.ts'
import { PageCache } from '../page-cache.ts'
import { PagedSpace, type PagedSpaceOptions } from '../paged-space.ts'
import { writeback } from './writeback.ts'

const PAGE = 4096

const codeOf = (act: () => unknown): string => {
  try {
    act()
  } catch (error) {
    if (isVringError(error)) return error.code
    throw error
  }
  return 'no error'
}

/** A space whose invalidations are written down: `event first..last pages of base`, and the frame at `probe` in between. */
function traced(options: PagedSpaceOptions = { frames: 64 }) {
  const space = new PagedSpace(options)
  const log: string[] = []
  const trace = (base: number, probe = base): void => {
    const at = (): string => {
      const got = space.getUserPagesFast(probe, 1, false)
      return 'frames' in got ? `frame ${got.frames[0]}` : got.failure
    }
    const show = (range: MmuNotifierRange): string =>
      `${range.event}${range.blockable ? '' : ' non-blockable'} ${(range.start - base) / PAGE}..${(range.end - base) / PAGE}`
    space.notifiers.register({
      name: 'trace',
      invalidateRangeStart(range) {
        log.push(`start ${show(range)}: ${at()}`)
        return 0
      },
      invalidateRangeEnd(range) {
        log.push(`end ${show(range)}: ${at()}`)
      },
    })
  }
  return { space, log, trace }
}

const byte = (space: PagedSpace, address: number): number => space.read(address, 1)[0]
const frameAt = (space: PagedSpace, address: number): number => {
  const got = space.getUserPagesFast(address, 1, false)
  return 'frames' in got ? got.frames[0] : -1
}

describe('operations on a PagedSpace', () => {
  it('fork write-protects inside an invalidation; the first writer copies inside another (M24)', () => {
    const { space, log, trace } = traced()
    const address = space.mmap({ length: 2 * PAGE })
    space.write(address, Uint8Array.of(7))
    trace(address)
    const child = space.fork()
    expect(log.splice(0)).toEqual(['start protection-page 0..2: frame 0', 'end protection-page 0..2: frame 0'])
    expect(byte(child, address)).toBe(7)
    expect(frameAt(child, address)).toBe(0)
    expect(space.getUserPagesFast(address, 1, true)).toMatchObject({ failure: 'read-only' })
    space.write(address, Uint8Array.of(8))
    expect(log.splice(0)).toEqual(['start clear 0..1: frame 0', 'end clear 0..1: frame 1'])
    expect(byte(child, address)).toBe(7)
    // The child is alone with the old frame now: it writes in place, and no listener needs to know.
    child.write(address, Uint8Array.of(9))
    expect(frameAt(child, address)).toBe(0)
    expect(byte(space, address)).toBe(8)
    expect(log).toEqual([])
    child.close()
    expect(auditFrames(space.physical)).toEqual([])
  })

  it('fork does not tell about mappings that were never touched or are shared', () => {
    const { space, log, trace } = traced()
    const untouched = space.mmap({ length: PAGE })
    const shared = space.mmap({ length: PAGE, kind: 'shared', populate: true })
    trace(untouched)
    const child = space.fork()
    expect(log).toEqual([])
    child.write(shared, Uint8Array.of(5))
    expect(byte(space, shared)).toBe(5)
  })

  it('migration takes the page away inside an invalidation and gives the new frame after it', () => {
    const { space, log, trace } = traced()
    const address = space.mmap({ length: PAGE })
    space.write(address, Uint8Array.of(7))
    trace(address)
    expect(space.migrate(address, PAGE)).toBe(1)
    expect(log).toEqual(['start clear 0..1: frame 0', 'end clear 0..1: absent'])
    expect(frameAt(space, address)).toBe(1)
    expect(byte(space, address)).toBe(7)
    expect(space.physical.isFree(0)).toBe(true)
  })

  it('M13: a listener that needs the page which its own invalidation holds back is found', () => {
    const space = new PagedSpace({ frames: 8 })
    const address = space.mmap({ length: PAGE, populate: true })
    let seen = 0
    space.notifiers.register({
      name: 'waits for a fault',
      invalidateRangeStart: () => 0,
      invalidateRangeEnd() {
        seen = space.resolve(address, 1, ACCESS_READ)
      },
    })
    space.migrate(address, PAGE)
    expect(seen).toBe(EFAULT)
    expect(space.violations.records.map(({ kind }) => kind)).toEqual(['fault-in-notifier'])
    expect(space.resolve(address, 1, ACCESS_READ)).toBeGreaterThanOrEqual(0)
  })

  it('swap takes pages out of every space that maps them, and brings one frame back for all', () => {
    const { space, log, trace } = traced()
    const address = space.mmap({ length: PAGE })
    space.write(address, Uint8Array.of(7))
    const child = space.fork()
    trace(address)
    expect(space.reclaim(address, PAGE)).toBe(1)
    expect(log).toEqual(['start clear 0..1: frame 0', 'end clear 0..1: absent'])
    expect(space.physical.freeFrames).toBe(64)
    expect(space.physical.swap.size).toBe(1)
    expect(byte(space, address)).toBe(7)
    expect(byte(child, address)).toBe(7)
    expect(frameAt(child, address)).toBe(frameAt(space, address))
    child.write(address, Uint8Array.of(8))
    expect(byte(space, address)).toBe(7)
    expect(auditFrames(space.physical)).toEqual([])
    child.close()
    space.close()
    expect([space.physical.freeFrames, space.physical.swap.size]).toEqual([64, 0])
  })

  it('M7: a write past the page table that is not marked dirty is lost when a clean page leaves; marked, it stays', () => {
    for (const mark of [false, true]) {
      const space = new PagedSpace({ frames: 8 })
      const address = space.mmap({ length: PAGE, populate: true })
      space.reclaim(address, PAGE)
      expect(byte(space, address)).toBe(0)
      // In memory again, clean, with a copy in swap. A write fault makes it writable, but swap keeps the copy.
      const read = space.mapKernel({ address, length: PAGE, write: true, mapping: 'vmap' })
      if (typeof read === 'string') throw new Error(read)
      space.view.u8[read.base] = 7
      if (mark) read.markDirty()
      read.release()
      space.reclaim(address, PAGE)
      expect(byte(space, address)).toBe(mark ? 7 : 0)
    }
  })

  it('a page that was swapped in and written is written out again; one that was never out is, dirty or not', () => {
    const space = new PagedSpace({ frames: 8 })
    const address = space.mmap({ length: PAGE })
    // Only read so far, so clean; written past the page table: the first time out saves everything.
    const at = space.resolve(address, 1, ACCESS_READ)
    space.view.u8[at] = 5
    space.reclaim(address, PAGE)
    expect(byte(space, address)).toBe(5)
    space.write(address, Uint8Array.of(6))
    space.reclaim(address, PAGE)
    expect(byte(space, address)).toBe(6)
  })

  it('a page that another process still has in swap is copied before it is written', () => {
    const space = new PagedSpace({ frames: 8 })
    const address = space.mmap({ length: PAGE })
    space.write(address, Uint8Array.of(7))
    const child = space.fork()
    space.reclaim(address, PAGE)
    space.write(address, Uint8Array.of(8))
    expect([byte(space, address), byte(child, address)]).toEqual([8, 7])
    expect(auditFrames(space.physical)).toEqual([])
  })

  it('mprotect gives no write permission that would skip copy-on-write or the notice of a file', () => {
    const space = new PagedSpace({ frames: 8 })
    const address = space.mmap({ length: PAGE })
    space.write(address, Uint8Array.of(7))
    const child = space.fork()
    space.mprotect(address, PAGE, { read: true, write: true })
    space.write(address, Uint8Array.of(8))
    expect(byte(child, address)).toBe(7)

    const file = new PageCache(space.physical, 'file', PAGE)
    const mapped = space.mmap({ length: PAGE, cache: file, write: false, populate: true })
    space.mprotect(mapped, PAGE, { read: true, write: true })
    space.write(mapped, Uint8Array.of(9))
    expect(file.dirtyPages).toBe(1)
  })

  it('the parts of a mapping that was split still show their own pages', () => {
    const space = new PagedSpace({ frames: 8 })
    const address = space.mmap({ length: 3 * PAGE, kind: 'shared' })
    for (let i = 0; i < 3; i++) space.write(address + i * PAGE, Uint8Array.of(i + 1))
    space.mprotect(address + PAGE, PAGE, { read: true, write: false })
    space.dontNeed(address, 3 * PAGE)
    expect([0, 1, 2].map((i) => byte(space, address + i * PAGE))).toEqual([1, 2, 3])
    space.munmap(address, PAGE)
    expect([1, 2].map((i) => byte(space, address + i * PAGE))).toEqual([2, 3])
  })

  it('mprotect tells each mapping once, after the mapping and before the entries changed', () => {
    const { space, log, trace } = traced()
    const address = space.mmap({ length: 4 * PAGE, populate: true })
    trace(address, address + PAGE)
    space.mprotect(address + PAGE, 2 * PAGE, { read: true, write: false })
    expect(log.splice(0)).toEqual(['start protection-vma 1..3: frame 1', 'end protection-vma 1..3: frame 1'])
    expect(space.resolve(address + PAGE, 1, ACCESS_WRITE)).toBe(EFAULT)
    expect(space.resolve(address + PAGE, 1, ACCESS_READ)).toBe(PAGE)
    expect(space.vmas).toHaveLength(3)
    space.mprotect(address, 4 * PAGE, { read: false, write: false })
    expect(log.splice(0)).toHaveLength(6)
    expect(space.resolve(address, 1, ACCESS_READ)).toBe(EFAULT)
    expect(space.getUserPagesFast(address, 1, false)).toMatchObject({ failure: 'hinted' })
    space.mprotect(address, 4 * PAGE, { read: true, write: true })
    expect(space.resolve(address + PAGE, 1, ACCESS_WRITE)).toBe(PAGE)
  })

  it('mremap moves frames to other addresses inside an invalidation of the old ones', () => {
    const { space, log, trace } = traced()
    const address = space.mmap({ length: 2 * PAGE })
    space.write(address, Uint8Array.of(7))
    trace(address)
    const to = address + 1024 * PAGE
    expect(space.mremap(address, 2 * PAGE, 3 * PAGE, to)).toBe(to)
    expect(log).toEqual([
      'start unmap 0..2: frame 0',
      'end unmap 0..2: absent',
      // The unmapping of what was left.
      'start unmap 0..2: absent',
      'end unmap 0..2: absent',
    ])
    expect(frameAt(space, to)).toBe(0)
    expect(space.resolve(address, 1, ACCESS_READ)).toBe(EFAULT)
    expect(space.resolve(to + 2 * PAGE, 1, ACCESS_WRITE)).toBeGreaterThanOrEqual(0)
    expect(auditFrames(space.physical)).toEqual([])
  })

  it('mremap grows in place where there is room, moves where there is none, and shrinks', () => {
    const space = new PagedSpace({ frames: 16 })
    const address = space.mmap({ length: 2 * PAGE })
    expect(space.mremap(address, 2 * PAGE, 4 * PAGE)).toBe(address)
    space.mmap({ address: address + 4 * PAGE, length: PAGE })
    space.write(address, Uint8Array.of(7))
    const moved = space.mremap(address, 4 * PAGE, 5 * PAGE)
    expect(moved).toBe(address + 5 * PAGE)
    expect(byte(space, moved)).toBe(7)
    expect(space.mremap(moved, 5 * PAGE, PAGE)).toBe(moved)
    expect(space.resolve(moved + PAGE, 1, ACCESS_READ)).toBe(EFAULT)
    expect(codeOf(() => space.mremap(moved, PAGE, PAGE, moved))).toBe('ERR_OVERLAP')
    expect(codeOf(() => space.mremap(moved, PAGE, 0))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => space.mremap(moved + PAGE, PAGE, PAGE))).toBe('ERR_OUT_OF_RANGE')
  })

  it('MADV_DONTNEED drops pages, one invalidation a mapping; the next access finds zeroes', () => {
    const { space, log, trace } = traced()
    const address = space.mmap({ length: 2 * PAGE })
    space.write(address, Uint8Array.of(7))
    trace(address)
    space.dontNeed(address, PAGE)
    expect(log).toEqual(['start clear 0..1: frame 0', 'end clear 0..1: absent'])
    expect(byte(space, address)).toBe(0)
    expect(codeOf(() => space.dontNeed(address + PAGE, 2 * PAGE))).toBe('ERR_OUT_OF_RANGE')
  })

  it('M10: the OOM reaper does not wait: it leaves alone what a listener refuses, and takes the rest', () => {
    const space = new PagedSpace({ frames: 16 })
    const busy = space.mmap({ length: PAGE, populate: true })
    const idle = space.mmap({ length: PAGE, populate: true })
    const shared = space.mmap({ length: PAGE, kind: 'shared', populate: true })
    const seen: boolean[] = []
    space.notifiers.register({
      name: 'busy',
      invalidateRangeStart(range) {
        seen.push(range.blockable)
        return range.start === busy ? EAGAIN : 0
      },
      invalidateRangeEnd() {},
    })
    expect(space.oomReap()).toBe(false)
    expect(seen).toEqual([false, false])
    expect([frameAt(space, busy), frameAt(space, idle), frameAt(space, shared)]).toEqual([0, -1, 2])
  })

  it('KSM merges equal pages under three invalidations, and a write gives the writer its own again', () => {
    const { space, log, trace } = traced()
    const address = space.mmap({ length: 3 * PAGE })
    space.write(address, Uint8Array.of(7))
    space.write(address + PAGE, Uint8Array.of(7))
    space.write(address + 2 * PAGE, Uint8Array.of(8))
    trace(address, address + PAGE)
    expect(space.merge(address, space, address + PAGE)).toBe(true)
    expect(log.splice(0)).toEqual([
      'start clear 0..1: frame 1',
      'end clear 0..1: frame 1',
      'start clear 1..2: frame 1',
      'end clear 1..2: frame 1',
      'start clear 1..2: frame 1',
      'end clear 1..2: frame 0',
    ])
    expect(space.merge(address, space, address + 2 * PAGE)).toBe(false)
    expect(space.merge(address, space, address + PAGE)).toBe(false)
    log.length = 0
    space.write(address + PAGE, Uint8Array.of(9))
    expect(log).toEqual(['start clear 1..2: frame 0', 'end clear 1..2: frame 1'])
    expect(byte(space, address)).toBe(7)
    // A merged page is copied even by its last user.
    space.write(address, Uint8Array.of(1))
    expect(frameAt(space, address)).not.toBe(0)
    expect(auditFrames(space.physical)).toEqual([])
  })

  it('unmerge gives every merged page a frame of its own', () => {
    const space = new PagedSpace({ frames: 16 })
    const address = space.mmap({ length: 2 * PAGE, populate: true })
    space.merge(address, space, address + PAGE)
    expect(space.physical.freeFrames).toBe(15)
    expect(space.unmerge(address, 2 * PAGE)).toBe(2)
    expect(space.physical.freeFrames).toBe(14)
    expect(space.unmerge(address, 2 * PAGE)).toBe(0)
  })

  it('a merged page stays merged when it migrates: its last user copies it', () => {
    const space = new PagedSpace({ frames: 16 })
    const address = space.mmap({ length: 2 * PAGE, populate: true })
    space.merge(address, space, address + PAGE)
    space.migrate(address, PAGE)
    space.munmap(address + PAGE, PAGE)
    const before = frameAt(space, address)
    space.write(address, Uint8Array.of(1))
    expect(frameAt(space, address)).not.toBe(before)
  })

  it('collapse takes small pages away under one invalidation of 2 MiB; split keeps the frames', () => {
    const { space, log, trace } = traced({ frames: 2048 })
    const address = space.mmap({ address: HUGE_BYTES * 1000, length: 2 * HUGE_BYTES })
    space.write(address + 5 * PAGE, Uint8Array.of(7))
    trace(address, address + 5 * PAGE)
    expect(space.collapse(address)).toBe(true)
    expect(log.splice(0)).toEqual(['start clear 0..512: frame 0', 'end clear 0..512: absent'])
    expect(byte(space, address + 5 * PAGE)).toBe(7)
    const base = space.resolve(address, HUGE_BYTES, ACCESS_READ)
    expect(base % HUGE_BYTES).toBe(0)
    expect(space.physical.isFree(0)).toBe(true)
    expect(space.collapse(address)).toBe(false)
    expect(auditFrames(space.physical)).toEqual([])
    space.split(address + 100 * PAGE)
    expect(log.splice(0)).toHaveLength(2)
    expect(space.resolve(address, HUGE_BYTES, ACCESS_READ)).toBe(base)
    expect(auditFrames(space.physical)).toEqual([])
    expect(codeOf(() => space.collapse(address + PAGE))).toBe('ERR_MISALIGNED')
  })

  it('an operation that cuts through a huge page splits it first, under an invalidation of all of it', () => {
    const { space, log, trace } = traced({ frames: 2048 })
    const address = space.mmap({ address: HUGE_BYTES * 1000, length: HUGE_BYTES })
    space.collapse(address)
    trace(address)
    space.munmap(address, PAGE)
    expect(log.filter((line) => line.startsWith('start'))).toEqual([
      'start clear 0..512: frame 0',
      'start unmap 0..1: frame 0',
    ])
    expect(space.physical.freeFrames).toBe(2048 - 511)
    expect(auditFrames(space.physical)).toEqual([])
  })

  it('a huge page survives fork, copy-on-write, migration, moving and swap', () => {
    const space = new PagedSpace({ frames: 4096 })
    const address = space.mmap({ address: HUGE_BYTES * 1000, length: HUGE_BYTES })
    space.collapse(address)
    space.write(address + 7 * PAGE, Uint8Array.of(7))
    const child = space.fork()
    space.write(address + 7 * PAGE, Uint8Array.of(8))
    expect(byte(child, address + 7 * PAGE)).toBe(7)
    child.write(address + 8 * PAGE, Uint8Array.of(9))
    expect(child.migrate(address, 16 * PAGE)).toBe(16)
    expect(child.mremap(address, HUGE_BYTES, HUGE_BYTES, address + 16 * HUGE_BYTES)).toBe(address + 16 * HUGE_BYTES)
    expect(child.reclaim(address + 16 * HUGE_BYTES, 16 * PAGE)).toBe(16)
    expect(byte(child, address + 16 * HUGE_BYTES + 8 * PAGE)).toBe(9)
    expect(auditFrames(space.physical)).toEqual([])
    child.close()
    // Alone again with a huge page, the last user writes in place.
    const other = space.fork()
    other.close()
    space.write(address + 9 * PAGE, Uint8Array.of(1))
    expect(auditFrames(space.physical)).toEqual([])
    space.close()
    expect([space.physical.freeFrames, space.physical.swap.size]).toEqual([4096, 0])
  })

  it('NUMA hints make pages fault once, and hide them from get_user_pages_fast until then', () => {
    const { space, log, trace } = traced()
    const address = space.mmap({ length: 2 * PAGE, populate: true })
    trace(address)
    expect(space.hintNuma(address, 2 * PAGE)).toBe(2)
    expect(log.splice(0)).toEqual(['start protection-vma 0..2: frame 0', 'end protection-vma 0..2: hinted'])
    expect(space.mapKernel({ address, length: PAGE, write: false, mapping: 'vmap' })).toBe('page-absent')
    expect(space.resolve(address, 1, ACCESS_READ)).toBe(0)
    expect(log).toEqual([])
    expect(frameAt(space, address)).toBe(0)
  })

  it('a file is read in, written back under write protection, and a later write is noticed again (M8)', () => {
    const { space, log, trace } = traced()
    const file = new PageCache(space.physical, 'file', 2 * PAGE, Uint8Array.of(1, 2, 3))
    const address = space.mmap({ length: 2 * PAGE, cache: file })
    expect(space.read(address, 3)).toEqual(Uint8Array.of(1, 2, 3))
    expect(file.dirtyPages).toBe(0)
    space.write(address, Uint8Array.of(9))
    expect(file.dirtyPages).toBe(1)
    trace(address)
    expect(writeback(file)).toBe(1)
    expect(log).toEqual(['start protection-page 0..1: frame 0', 'end protection-page 0..1: frame 0'])
    expect([file.disk[0], file.dirtyPages]).toEqual([9, 0])
    space.write(address, Uint8Array.of(10))
    expect(file.dirtyPages).toBe(1)
    expect(space.reclaim(address, PAGE)).toBe(1)
    expect(file.disk[0]).toBe(10)
    expect(file.lostWrites()).toEqual([])
    expect(space.read(address, 3)).toEqual(Uint8Array.of(10, 2, 3))
  })

  it('M8: a direct write to a page of a file after its writeback is lost, and lostWrites finds it', () => {
    const space = new PagedSpace({ frames: 8 })
    const file = new PageCache(space.physical, 'file', PAGE)
    const address = space.mmap({ length: PAGE, cache: file })
    space.write(address, Uint8Array.of(1))
    const request = { address, length: PAGE, write: true, mapping: 'linear' } as const
    expect(space.mapKernel(request)).toBe('file-backed')
    const mapping = space.mapKernel({ ...request, files: 'map' })
    if (typeof mapping === 'string') throw new Error(mapping)
    const { base } = mapping
    writeback(file)
    expect(space.staleMappings()).toHaveLength(1)
    space.view.u8[base] = 2
    expect(file.lostWrites()).toEqual([0])
    mapping.release()
  })

  it('a private mapping of a file copies on the first write and leaves the file alone', () => {
    const space = new PagedSpace({ frames: 8 })
    const file = new PageCache(space.physical, 'file', PAGE, Uint8Array.of(1))
    const address = space.mmap({ length: PAGE, cache: file, private: true })
    expect(byte(space, address)).toBe(1)
    space.write(address, Uint8Array.of(2))
    writeback(file)
    expect([file.disk[0], byte(space, address), file.dirtyPages]).toEqual([1, 2, 0])
    expect(auditFrames(space.physical)).toEqual([])
  })

  it('shared memory is one for all who map it, and outlives none of them', () => {
    const space = new PagedSpace({ frames: 8 })
    const cache = new PageCache(space.physical, 'shmem', 2 * PAGE)
    const other = new PagedSpace({ physical: space.physical })
    const here = space.mmap({ length: 2 * PAGE, cache })
    const there = other.mmap({ length: PAGE, cache, offset: PAGE })
    cache.close()
    space.write(here + PAGE, Uint8Array.of(7))
    expect(byte(other, there)).toBe(7)
    expect(space.reclaim(here, 2 * PAGE)).toBe(1)
    expect(space.physical.swap.size).toBe(1)
    expect(byte(other, there)).toBe(7)
    space.close()
    expect(byte(other, there)).toBe(7)
    other.close()
    expect([space.physical.freeFrames, space.physical.swap.size]).toEqual([8, 0])
  })

  it('an access past the end of a file is -EFAULT (SIGBUS)', () => {
    const space = new PagedSpace({ frames: 8 })
    const file = new PageCache(space.physical, 'file', PAGE)
    const address = space.mmap({ length: 2 * PAGE, cache: file })
    expect(space.resolve(address, 1, ACCESS_READ)).toBeGreaterThanOrEqual(0)
    expect(space.resolve(address + PAGE, 1, ACCESS_READ)).toBe(EFAULT)
  })

  it('hugetlb memory comes in 2 MiB pages, is contiguous, shared by fork, and stays where it is', () => {
    const space = new PagedSpace({ frames: 2048, allocator: 'scattered' })
    const address = space.mmap({ length: 2 * HUGE_BYTES, kind: 'hugetlb', populate: true })
    expect(address % HUGE_BYTES).toBe(0)
    const at = space.resolve(address, HUGE_BYTES, ACCESS_WRITE)
    expect(at % HUGE_BYTES).toBe(0)
    const child = space.fork()
    child.write(address + 5, Uint8Array.of(7))
    expect(byte(space, address + 5)).toBe(7)
    expect([
      space.migrate(address, HUGE_BYTES),
      space.reclaim(address, HUGE_BYTES),
      space.hintNuma(address, HUGE_BYTES),
    ]).toEqual([0, 0, 0])
    expect(codeOf(() => space.munmap(address, PAGE))).toBe('ERR_MISALIGNED')
    space.munmap(address, HUGE_BYTES)
    expect(auditFrames(space.physical)).toEqual([])
    child.close()
    space.close()
    expect(space.physical.freeFrames).toBe(2048)
  })

  it('a fork whose listener fails has no child, and the parent goes on', () => {
    const space = new PagedSpace({ frames: 8 })
    const address = space.mmap({ length: PAGE, populate: true })
    const unregister = space.notifiers.register({
      name: 'thrower',
      invalidateRangeStart: () => {
        throw new TypeError('boom')
      },
      invalidateRangeEnd() {},
    })
    expect(() => space.fork()).toThrow(/thrower/)
    unregister()
    expect([...space.physical.spaces]).toHaveLength(1)
    space.write(address, Uint8Array.of(1))
    expect(space.physical.freeFrames).toBe(7)
  })
})
