import {
  type AccessorOptions,
  CountingCpu,
  type Cpu,
  type DirectAccessor,
  plainCpu,
  RecordingCpu,
  recordSteps,
  VringControl,
} from '@vring/accessor'
import { EFAULT, isVringError, type RingAreas, splitRingAreas } from '@vring/layout'
import { ACCESS_READ, ACCESS_WRITE, MappedSpace, memoryView, PagedSpace } from '@vring/memory'
import { type MmuNotifierRange, SYNC_NAMES } from '@vring/mmu-notifier'
import { describe, expect, it } from 'vitest'
import { directSteps } from './steps.ts'
import { vmapDirect } from './vmap-direct.ts'

const PAGE = 4096

interface Fixture {
  readonly space: PagedSpace
  readonly ring: RingAreas
  readonly accessor: DirectAccessor
}

/** A ring of 256 entries (one page of descriptors, the other areas after it) in anonymous memory. */
function paged(
  options: AccessorOptions = {},
  cpu: Cpu = plainCpu,
  allocator: 'contiguous' | 'scattered' = 'contiguous',
): Fixture {
  const space = new PagedSpace({ frames: 64, allocator })
  const address = space.mmap({ length: 8 * PAGE, populate: true })
  const ring = splitRingAreas(256, false, address, address + PAGE, address + 2 * PAGE - 8)
  return { space, ring, accessor: vmapDirect.create({ cpu, space, ring, iotlb: null }, options) as DirectAccessor }
}

function invalidation(ring: RingAreas, blockable = true): MmuNotifierRange {
  return { start: ring.desc.address, end: ring.desc.address + PAGE, event: 'clear', blockable }
}

const codeOf = (act: () => unknown): string => {
  try {
    act()
  } catch (error) {
    if (isVringError(error)) return error.code
    throw error
  }
  return 'no error'
}

describe.each(SYNC_NAMES)('vmap-direct with sync %s', (sync) => {
  it('reads and writes through the mapping once a round has begun', () => {
    const { space, ring, accessor } = paged({ sync })
    expect(accessor.desc.mode).toBe('fallback:unmapped')
    expect(accessor.beginRound()).toBe('ready')
    expect([accessor.desc.mode, accessor.driver.mode, accessor.device.mode]).toEqual(['direct', 'direct', 'direct'])
    space.write(ring.desc.address + 32, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16))
    const out = new Uint32Array(5)
    expect(accessor.desc.loadWords(32, out, 1, 4)).toBe(0)
    expect([...out]).toEqual([0, 0x04030201, 0x08070605, 0x0c0b0a09, 0x100f0e0d])
    expect(accessor.device.storeWords(4, Uint32Array.of(7, 60, 8, 61), 0, 4)).toBe(0)
    expect([...space.read(ring.device.address + 4, 16)]).toEqual([7, 0, 0, 0, 60, 0, 0, 0, 8, 0, 0, 0, 61, 0, 0, 0])
    expect(accessor.device.store16Release(2, 2)).toBe(0)
    expect(accessor.driver.load16Acquire(2)).toBe(0)
    accessor.endRound()
    expect(accessor.counters.snapshot()).toEqual({ 'driver.direct': 1, 'desc.direct': 1, 'device.direct': 2 })
  })

  it('falls back while an invalidation is open and maps again in the round after it', () => {
    const { space, ring, accessor } = paged({ sync })
    accessor.beginRound()
    const range = invalidation(ring)
    expect(space.notifiers.invalidateRangeStart(range)).toBe(0)
    expect(accessor.desc.mode).toBe('fallback:notifier-busy')
    expect(accessor.driver.mode).toBe('direct')
    expect(accessor.desc.load32(0)).toBe(0)
    accessor.endRound()
    accessor.beginRound()
    expect(accessor.desc.mode).toBe('fallback:notifier-busy')
    space.notifiers.invalidateRangeEnd(range)
    accessor.beginRound()
    expect(accessor.desc.mode).toBe('direct')
    accessor.close()
    expect(accessor.counters.get('desc', 'fallback:notifier-busy')).toBe(1)
    expect(space.notifiers.faults).toEqual([])
  })

  it('M5: gives every mapping and registration back', () => {
    const { space, accessor } = paged({ sync })
    for (let round = 0; round < 3; round++) {
      accessor.beginRound()
      accessor.endRound()
    }
    expect(space.kernelMappings.size).toBe(3)
    accessor.close()
    accessor.close()
    expect(space.kernelMappings.size).toBe(0)
    expect(space.notifiers.size).toBe(0)
    expect(space.notifiers.intervals.size).toBe(0)
  })

  it('M6: what was written is dirty after any teardown', () => {
    for (const teardown of ['close', 'move', 'invalidate'] as const) {
      const { space, ring, accessor } = paged({ sync })
      accessor.beginRound()
      const frame = space.getUserPagesFast(ring.device.address, 4, false)
      if (!('frames' in frame)) throw new Error('the page is there')
      space.physical.clearDirty(frame.frames[0]!)
      accessor.device.store16(0, 1)
      accessor.endRound()
      if (teardown === 'close') accessor.close()
      else if (teardown === 'move') accessor.setRing(ring)
      else
        space.notifiers.invalidateRangeStart({
          start: ring.device.address,
          end: ring.device.address + 1,
          event: 'clear',
          blockable: true,
        })
      expect(space.physical.isDirty(frame.frames[0]!), teardown).toBe(true)
      expect(space.violations.count).toBe(0)
    }
  })

  it('takes the steps that its table says', () => {
    const cpu = new RecordingCpu()
    const { accessor, ring } = paged({ sync }, cpu)
    accessor.beginRound()
    accessor.endRound()
    expect(recordSteps(accessor, cpu, ring)).toEqual(directSteps(sync))
  })

  it('a hold keeps all areas, at the price of one access; the notifier waits for it as for one', () => {
    const cpu = new RecordingCpu()
    const { space, ring, accessor } = paged({ sync }, cpu)
    const lease = accessor.lease!
    expect(lease.hold()).toBe(false)
    accessor.beginRound()
    cpu.reset()
    expect(lease.hold()).toBe(true)
    lease.release(64, 65, 2)
    expect(cpu.names()).toEqual(directSteps(sync).load16.filter((step) => step === 'lock'))
    space.write(ring.desc.address, Uint8Array.of(1, 2, 3, 4))
    expect(lease.hold()).toBe(true)
    expect(lease.desc32[lease.descWord]).toBe(0x04030201)
    lease.release(0, 0, 0)
    // One area without a mapping, and there is no lease; windows go on.
    space.notifiers.invalidateRangeStart({
      ...invalidation(ring),
      start: ring.driver.address,
      end: ring.driver.address + 1,
    })
    expect(lease.hold()).toBe(false)
    expect(accessor.driver.load16(0)).toBe(0)
    accessor.endRound()
    expect(accessor.counters.snapshot()).toEqual({
      'desc.direct': 64,
      'device.direct': 2,
      'driver.direct': 65,
      'driver.fallback:notifier-busy': 1,
    })
    expect(paged({ sync, hold: 'access' }).accessor.lease).toBeNull()
  })
})

describe('vmap-direct', () => {
  it('a lease needs each area in one piece: across scattered pages the windows go on', () => {
    const { accessor } = paged({}, plainCpu, 'scattered')
    accessor.beginRound()
    expect(accessor.lease!.hold()).toBe(false)
  })

  it('M22: an area across scattered pages is direct, elements across the boundary included', () => {
    const { space, ring, accessor } = paged({}, plainCpu, 'scattered')
    accessor.beginRound()
    expect(accessor.device.mode).toBe('direct')
    // The used ring starts 8 bytes before a page's end: the first word is before the boundary.
    accessor.device.storeWords(4, Uint32Array.of(1, 2, 3, 4), 0, 4)
    expect(accessor.device.load32(8)).toBe(2)
    expect([...space.read(ring.device.address + 4, 16)]).toEqual([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0])
    expect(space.violations.count).toBe(0)
  })

  it('linear falls back where frames are not contiguous', () => {
    const { accessor } = paged({ mapping: 'linear' }, plainCpu, 'scattered')
    accessor.beginRound()
    expect(accessor.device.mode).toBe('fallback:not-contiguous')
    expect(accessor.device.store16(2, 5)).toBe(0)
    expect(accessor.device.load16(2)).toBe(5)
    accessor.endRound()
    expect(accessor.counters.get('device', 'fallback:not-contiguous')).toBe(2)
  })

  it('M17: an absent page falls back, the copy faults it in, the next round maps it', () => {
    const space = new PagedSpace({ frames: 64 })
    const address = space.mmap({ length: 4 * PAGE })
    const ring = splitRingAreas(8, false, address, address + PAGE, address + 2 * PAGE)
    const accessor = vmapDirect.create({ cpu: plainCpu, space, ring, iotlb: null }, {}) as DirectAccessor
    accessor.beginRound()
    expect(accessor.desc.mode).toBe('fallback:page-absent')
    expect(accessor.desc.load32(0)).toBe(0)
    accessor.endRound()
    accessor.beginRound()
    expect(accessor.desc.mode).toBe('direct')
    expect(accessor.driver.mode).toBe('fallback:page-absent')
  })

  it.each(['vmap', 'linear'])('a machine whose caches alias falls back to copies, %s', (mapping) => {
    const space = new PagedSpace({ frames: 64, aliasingCaches: true })
    const address = space.mmap({ length: 4 * PAGE, populate: true })
    const ring = splitRingAreas(8, false, address, address + PAGE, address + 2 * PAGE)
    const accessor = vmapDirect.create({ cpu: plainCpu, space, ring, iotlb: null }, { mapping }) as DirectAccessor
    accessor.beginRound()
    expect(accessor.desc.mode).toBe('fallback:aliasing-cache')
    expect(accessor.driver.load16(2)).toBe(0)
    accessor.endRound()
    expect(accessor.counters.snapshot()).toEqual({ 'driver.fallback:aliasing-cache': 1 })
    accessor.close()
  })

  it('M1: a refused registration means copies for ever and nothing to give back', () => {
    const space = new PagedSpace({ frames: 64, notifiers: { admit: () => -12 } })
    const address = space.mmap({ length: 4 * PAGE, populate: true })
    const ring = splitRingAreas(8, false, address, address + PAGE, address + 2 * PAGE)
    const accessor = vmapDirect.create({ cpu: plainCpu, space, ring, iotlb: null }, {}) as DirectAccessor
    accessor.beginRound()
    expect(accessor.desc.mode).toBe('fallback:no-notifier')
    accessor.setRing(ring)
    accessor.beginRound()
    expect(accessor.desc.mode).toBe('fallback:no-notifier')
    accessor.close()
    expect(space.kernelMappings.size).toBe(0)
  })

  it('M4: a refused ring leaves the old one in use', () => {
    const { space, ring, accessor } = paged()
    const control = new VringControl(accessor, ring)
    expect(codeOf(() => control.setVringAddr(space.limit, ring.driver.address, ring.device.address))).toBe(
      'ERR_OUT_OF_RANGE',
    )
    expect(codeOf(() => control.setVringNum(3))).toBe('ERR_OUT_OF_RANGE')
    expect(control.ring).toBe(ring)
    accessor.beginRound()
    accessor.device.store16(2, 9)
    expect(accessor.device.mode).toBe('direct')
    expect(space.read(ring.device.address + 2, 1)[0]).toBe(9)
  })

  it('moves to another ring, direct and copy alike', () => {
    const { space, ring, accessor } = paged()
    const control = new VringControl(accessor, ring)
    accessor.beginRound()
    accessor.endRound()
    const desc = ring.desc.address + 4 * PAGE
    control.setVringAddr(desc, desc + PAGE, desc + 2 * PAGE)
    expect(space.kernelMappings.size).toBe(0)
    accessor.device.store16(0, 1)
    accessor.beginRound()
    accessor.device.store16(2, 2)
    expect([...space.read(desc + 2 * PAGE, 4)]).toEqual([1, 0, 2, 0])
    control.setVringNum(128)
    expect(control.ring.queueSize).toBe(128)
    accessor.close()
    expect(codeOf(() => control.setVringNum(64))).toBe('ERR_CLOSED')
  })

  it('M25: an IOTLB that is turned on ends direct access at once', () => {
    const { space, accessor } = paged()
    accessor.beginRound()
    accessor.endRound()
    accessor.disarm('iotlb')
    expect(space.kernelMappings.size).toBe(0)
    accessor.beginRound()
    accessor.desc.load32(0)
    accessor.endRound()
    expect(accessor.counters.snapshot()).toEqual({ 'desc.fallback:iotlb': 1 })
  })

  it('never refuses an invalidation that cannot wait, with the default strategy', () => {
    const { space, ring, accessor } = paged()
    accessor.beginRound()
    expect(space.notifiers.invalidateRangeStart(invalidation(ring, false))).toBe(0)
    const rcu = paged({ sync: 'rcu' })
    rcu.accessor.beginRound()
    expect(rcu.space.notifiers.invalidateRangeStart(invalidation(rcu.ring, false))).toBe(-11)
    const elsewhere = { ...invalidation(rcu.ring, false), start: 0, end: rcu.ring.desc.address }
    expect(rcu.space.notifiers.invalidateRangeStart(elsewhere)).toBe(0)
  })

  it('a fault is -EFAULT of the copy, SMAP opened and closed', () => {
    const cpu = new CountingCpu()
    const { space, ring, accessor } = paged({}, cpu)
    space.munmap(ring.desc.address, PAGE)
    accessor.beginRound()
    expect(accessor.desc.mode).toBe('fallback:unmapped')
    expect(accessor.desc.load16(0)).toBe(EFAULT)
    expect(cpu.steps.stac).toBe(cpu.steps.clac)
  })

  it('serves mapped memory of another process until its region is replaced', () => {
    const view = memoryView(new ArrayBuffer(8 * PAGE))
    const region = { address: 0x10_0000, length: 8 * PAGE, view, viewOffset: 0 }
    const space = new MappedSpace([region])
    const ring = splitRingAreas(8, false, 0x10_0000, 0x10_1000, 0x10_2000)
    const accessor = vmapDirect.create({ cpu: plainCpu, space, ring, iotlb: null }, {}) as DirectAccessor
    accessor.beginRound()
    expect(accessor.device.store16(2, 3)).toBe(0)
    expect(view.u16[0x2002 >>> 1]).toBe(3)
    accessor.endRound()
    const moved = memoryView(new ArrayBuffer(8 * PAGE))
    space.replaceRegions([{ ...region, view: moved }])
    expect(accessor.device.mode).toBe('fallback:notifier-busy')
    expect(space.resolve(ring.device.address, 2, ACCESS_WRITE)).toBe(space.resolve(ring.device.address, 2, ACCESS_READ))
    accessor.beginRound()
    expect(accessor.device.store16(2, 4)).toBe(0)
    expect([view.u16[0x2002 >>> 1], moved.u16[0x2002 >>> 1]]).toEqual([3, 4])
  })
})
