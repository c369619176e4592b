import { readFileSync, writeFileSync } from 'node:fs'
import { closeFd, createMemfd, IoUring, Mapping } from '@vring/linux'
import { memoryView } from '@vring/memory'
import { FrameBatch, NET_BATCH } from '@vring/vhost-net'
import { XDP_DROP } from '@vring/xdp'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { batchOf, describeLinuxTap, HEADER } from '../../test/linux-tap-fixture.ts'
import { CountingXdp } from '../linux.ts'

const PAGE_BYTES = 2 ** 21
/** As `setBuffer` returns it: over RLIMIT_MEMLOCK. */
const ENOMEM = -12
const NR_HUGEPAGES = '/proc/sys/vm/nr_hugepages'

const meminfo = (field: string): number =>
  Number(new RegExp(`^${field}: +(\\d+)`, 'm').exec(readFileSync('/proc/meminfo', 'utf8'))![1])

/** A file of huge pages, of which `filled` are there, as its driver maps it. */
function hugeFile(pages: number, filled = pages): number {
  const fd = createMemfd('vring-test-guest', pages * PAGE_BYTES, { hugePages: '2M' })
  const mapping = Mapping.of(fd, { length: pages * PAGE_BYTES })
  for (let page = 0; page < filled; page++) new Uint8Array(mapping.buffer)[page * PAGE_BYTES] = 1
  mapping.unmap()
  return fd
}

/** A batch like those of the fixture in huge pages, where a driver such as DPDK has its buffers. */
function hugeBatch(pages = 1, filled = pages): { batch: FrameBatch; mapping: Mapping } {
  const fd = hugeFile(pages, filled)
  const mapping = Mapping.of(fd, { length: pages * PAGE_BYTES })
  closeFd(fd)
  const { view, offset, length, count } = batchOf(NET_BATCH, 64)
  const batch = new FrameBatch(HEADER, memoryView(mapping.buffer))
  batch.view.u8.set(view.u8, 4096)
  for (let i = 0; i < count; i++) batch.offset[i] = 4096 + offset[i]!
  batch.length.set(length)
  batch.count = count
  return { batch, mapping }
}

describeLinuxTap('frames in huge pages', ({ keep, open, serve }) => {
  let before = 0
  beforeAll(() => {
    before = meminfo('HugePages_Total')
    writeFileSync(NR_HUGEPAGES, String(before + 4))
    expect(meminfo('HugePages_Free')).toBeGreaterThanOrEqual(4)
  })
  afterAll(() => writeFileSync(NR_HUGEPAGES, String(before)))
  afterEach(() => vi.restoreAllMocks())

  test('reach the TAP from registered memory, between frames of other memory, and keep no page', () => {
    const tap = open()
    const drop = keep(new CountingXdp(XDP_DROP))
    tap.attachXdp(drop.program)
    const queue = serve(tap, 'io_uring')
    const free = meminfo('HugePages_Free')
    const setBuffer = vi.spyOn(IoUring.prototype, 'setBuffer')
    // More drivers than there are places for their memory.
    for (let driver = 0; driver < 70; driver++) {
      const { batch, mapping } = hugeBatch()
      expect(meminfo('HugePages_Free')).toBe(free - 1)
      for (const frames of [batch, batchOf(5, 60), batch]) queue.transmit(frames)
      queue.flush()
      expect(drop.frames).toBe((driver + 1) * (2 * NET_BATCH + 5))
      queue.forgetMemory()
      mapping.unmap()
      expect(meminfo('HugePages_Free')).toBe(free)
    }
    // In and out, once for each.
    expect(setBuffer).toHaveBeenCalledTimes(140)
    expect(queue.counters).toMatchObject({ txFrames: 70 * (2 * NET_BATCH + 5), txDropped: {} })
  })

  test('are sent from more memory than can be registered', () => {
    const tap = open()
    const drop = keep(new CountingXdp(XDP_DROP))
    tap.attachXdp(drop.program)
    const queue = serve(tap, 'io_uring')
    const fd = hugeFile(1)
    const mappings = Array.from({ length: 66 }, () => Mapping.of(fd, { length: PAGE_BYTES }))
    closeFd(fd)
    const template = batchOf(1, 64)
    for (const mapping of mappings) {
      const batch = new FrameBatch(HEADER, memoryView(mapping.buffer))
      batch.view.u8.set(template.view.u8.subarray(0, HEADER + 64))
      batch.length[0] = HEADER + 64
      batch.count = 1
      queue.transmit(batch)
    }
    queue.flush()
    expect(drop.frames).toBe(66)
    expect(queue.counters.txDropped).toEqual({})
    queue.forgetMemory()
    for (const mapping of mappings) mapping.unmap()
  })

  test('do not fill the holes of a driver that reserves more than it uses', () => {
    const queue = serve(open(), 'io_uring')
    const free = meminfo('HugePages_Free')
    // All that are free: filling the file would take every one of them.
    const { batch, mapping } = hugeBatch(free, 1)
    queue.transmit(batch)
    queue.flush()
    expect(queue.counters.txFrames).toBe(NET_BATCH)
    expect(meminfo('HugePages_Free')).toBe(free - 1)
    queue.forgetMemory()
    mapping.unmap()
    expect(meminfo('HugePages_Free')).toBe(free)
  })

  test('are asked for once where they may not be pinned, until the driver is gone', () => {
    const tap = open()
    const drop = keep(new CountingXdp(XDP_DROP))
    tap.attachXdp(drop.program)
    const queue = serve(tap, 'io_uring')
    const setBuffer = vi.spyOn(IoUring.prototype, 'setBuffer').mockReturnValue(ENOMEM)
    const { batch, mapping } = hugeBatch()
    const other = batchOf(1, 60)
    for (let i = 0; i < 10; i++) for (const frames of [batch, other]) queue.transmit(frames)
    queue.flush()
    expect(setBuffer).toHaveBeenCalledTimes(1)
    expect(drop.frames).toBe(10 * (NET_BATCH + 1))
    queue.forgetMemory()
    queue.transmit(batch)
    queue.flush()
    expect(setBuffer).toHaveBeenCalledTimes(2)
    queue.forgetMemory()
    mapping.unmap()
  })
})
