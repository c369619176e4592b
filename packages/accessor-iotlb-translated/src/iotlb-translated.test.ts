import { type AccessorContext, type AccessorOptions, ERAS, RecordingCpu, recordSteps } from '@vring/accessor'
import { accessorConformance, formatKillTable, killTable } from '@vring/conformance'
import { DeviceIotlb } from '@vring/iotlb'
import { AREAS, EAGAIN, EFAULT, ENOBUFS, splitRingAreas } from '@vring/layout'
import { ACCESS_READ, ACCESS_WRITE, PagedSpace } from '@vring/memory'
import { SYNC_NAMES } from '@vring/mmu-notifier'
import { speculate } from '@vring/speculation'
import { describe, expect, it } from 'vitest'
import { iotlbTranslated } from './iotlb-translated.ts'
import { lookupSteps, steps } from './steps.ts'

// Every value of every option. With user access a strategy of synchronisation changes nothing.
const variants: readonly AccessorOptions[] = [
  ...ERAS.map((era) => ({ era })),
  { prefetch: 'off' },
  { put: 'read' },
  ...SYNC_NAMES.map((sync) => ({ primitive: 'direct', sync })),
]
for (const options of variants) accessorConformance(iotlbTranslated, { describe, it }, { options })

const READ_WRITE = ACCESS_READ | ACCESS_WRITE
const IOVA = 0x4000_0000

/** A ring in one IOVA page that `page` backs; nothing is translated yet. */
function setUp(options: AccessorOptions = {}) {
  const cpu = new RecordingCpu()
  const space = new PagedSpace({ frames: 64, smap: cpu })
  const page = space.mmap({ length: 64 * 4096 })
  const iotlb = new DeviceIotlb()
  const ring = splitRingAreas(16, true, IOVA, IOVA + 1024, IOVA + 2048)
  const context: AccessorContext = { cpu, space, ring, iotlb }
  return { cpu, space, page, iotlb, ring, accessor: iotlbTranslated.create(context, options) }
}

describe('iotlb-translated', () => {
  it.each(ERAS)('takes exactly the steps of its tables in era %s, cached and looked up', (era) => {
    for (const prefetch of ['on', 'off'] as const) {
      const { accessor, cpu, iotlb, page, ring } = setUp({ era, prefetch })
      iotlb.update(IOVA, 4096, page, READ_WRITE)
      expect(recordSteps(accessor, cpu, ring), prefetch).toEqual((prefetch === 'on' ? steps : lookupSteps)[era])
    }
  })

  it('looks each area up once when a round begins, and not again while nothing changed', () => {
    const { accessor, cpu, iotlb, page } = setUp()
    iotlb.update(IOVA, 4096, page, READ_WRITE)
    expect(accessor.beginRound()).toBe('ready')
    expect(cpu.steps.iotlbLookup).toBe(3)
    accessor.endRound()
    accessor.beginRound()
    expect(cpu.steps.iotlbLookup).toBe(3)
    // An update of something else forgets everything too, as vhost_vq_meta_reset does.
    iotlb.update(IOVA + 2 ** 20, 4096, page, READ_WRITE)
    accessor.endRound()
    accessor.beginRound()
    expect(cpu.steps.iotlbLookup).toBe(6)
  })

  it('asks in the order of the areas for what the device does with each, one question a round', () => {
    const { accessor, iotlb, page, ring } = setUp()
    for (const area of AREAS) {
      expect(accessor.beginRound()).toBe('miss')
      const perm = area === 'device' ? READ_WRITE : ACCESS_READ
      expect(iotlb.takeMisses()).toEqual([{ iova: ring[area].address, perm }])
      iotlb.update(ring[area].address, ring[area].length, page + (ring[area].address - IOVA), perm)
    }
    expect(accessor.beginRound()).toBe('ready')
  })

  it('without prefetch a missing translation is -EAGAIN and a question, and the answer makes the access work', () => {
    const { accessor, iotlb, page } = setUp({ prefetch: 'off' })
    expect(accessor.beginRound()).toBe('ready')
    expect(accessor.driver.load16Acquire(2)).toBe(EAGAIN)
    expect(accessor.desc.loadWords(0, new Uint32Array(4), 0, 4)).toBe(EAGAIN)
    expect(iotlb.takeMisses()).toEqual([{ iova: IOVA + 1024 + 2, perm: ACCESS_READ }])
    iotlb.update(IOVA, 4096, page, READ_WRITE)
    expect(accessor.driver.load16Acquire(2)).toBe(0)
    accessor.endRound()
    expect(accessor.counters.snapshot()).toEqual({ 'driver.fallback:not-cached': 2, 'desc.fallback:not-cached': 1 })
  })

  it('a scalar in two translations is -EFAULT: it would not be one access', () => {
    const { accessor, iotlb, page } = setUp({ prefetch: 'off' })
    iotlb.update(IOVA, 2048 + 4 + 2, page, READ_WRITE)
    iotlb.update(IOVA + 2048 + 4 + 2, 2048, page + 4096 + 2, READ_WRITE)
    expect(accessor.device.load32(4)).toBe(EFAULT)
    expect(accessor.device.load16(4)).toBe(0)
    expect(accessor.device.load16(6)).toBe(0)
  })

  it('a put that is looked up asks for write permission; with put=read for read permission, as Linux does', () => {
    const strict = setUp({ prefetch: 'off' })
    strict.iotlb.update(IOVA, 4096, strict.page, ACCESS_READ)
    expect(strict.accessor.device.store16(2, 7)).toBe(EFAULT)
    const { accessor, iotlb, page, space } = setUp({ prefetch: 'off', put: 'read' })
    iotlb.update(IOVA, 4096, page, ACCESS_READ)
    expect(accessor.device.store16(2, 7)).toBe(0)
    expect(space.read(page + 2048 + 2, 1)).toEqual(Uint8Array.of(7))
    // The copy of used elements does ask for write permission.
    expect(accessor.device.storeWords(4, new Uint32Array(2), 0, 2)).toBe(EFAULT)
  })

  it('a copy is translated as a whole before anything is written', () => {
    const { accessor, iotlb, page, space } = setUp({ prefetch: 'off' })
    iotlb.update(IOVA, 2048 + 12, page, READ_WRITE)
    expect(accessor.device.storeWords(4, Uint32Array.of(1, 2, 3, 4), 0, 4)).toBe(EAGAIN)
    expect(space.read(page + 2048 + 4, 8)).toEqual(new Uint8Array(8))
    expect(iotlb.takeMisses()).toEqual([{ iova: IOVA + 2048 + 12, perm: ACCESS_WRITE }])
  })

  it('a copy may have 64 segments and no more', () => {
    const { accessor, iotlb, page } = setUp({ prefetch: 'off' })
    for (let word = 0; word < 65; word++) iotlb.update(IOVA + 2048 + 4 * word, 4, page + 8192 + 8 * word, READ_WRITE)
    expect(accessor.device.storeWords(0, new Uint32Array(64), 0, 64)).toBe(0)
    expect(accessor.device.storeWords(0, new Uint32Array(66), 0, 66)).toBe(ENOBUFS)
  })

  it('a translation that breaks the alignment of words is -EFAULT, not another word', () => {
    const { accessor, iotlb, page } = setUp()
    iotlb.update(IOVA, 4096, page + 2, READ_WRITE)
    expect(accessor.beginRound()).toBe('ready')
    expect(accessor.device.load32(4)).toBe(EFAULT)
    expect(accessor.device.store16(2, 1)).toBe(EFAULT)
    expect(accessor.desc.loadWords(0, new Uint32Array(4), 0, 4)).toBe(EFAULT)
  })

  it('with primitive=direct the ring is leased as long as its translations and its mapping live', () => {
    const { accessor, iotlb, page, ring, space } = setUp({ primitive: 'direct' })
    const lease = accessor.lease!
    const held = (): boolean => {
      const status = accessor.beginRound()
      const got = status === 'ready' && lease.hold()
      if (got) lease.release(1, 0, 0)
      accessor.endRound()
      return got
    }
    space.write(page, new Uint8Array(4096))
    expect(held()).toBe(false)
    iotlb.update(IOVA, 4096, page, READ_WRITE)
    expect(held()).toBe(true)
    expect(accessor.counters.snapshot()).toEqual({ 'desc.direct': 1 })
    // The translation goes: no lease, and no mapping is left.
    iotlb.invalidate(ring.desc.address, 16)
    expect(held()).toBe(false)
    expect(space.kernelMappings.size).toBe(0)
    iotlb.update(IOVA, 4096, page, READ_WRITE)
    expect(held()).toBe(true)
    // The page goes: windows translate and fault it in, the next round maps it again.
    space.migrate(page, 4096)
    accessor.beginRound()
    space.migrate(page, 4096)
    expect(lease.hold()).toBe(false)
    expect(accessor.driver.load16(2)).toBe(0)
    accessor.endRound()
    expect(accessor.counters.get('driver', 'fallback:notifier-busy')).toBe(1)
    expect(held()).toBe(true)
    accessor.close()
    expect([space.kernelMappings.size, space.notifiers.size]).toEqual([0, 0])
  })

  it.each(ERAS)('is cleared by the speculation checker in era %s', (era) => {
    expect(speculate(iotlbTranslated, { options: { era } })).toMatchObject({ verdict: 'clear', findings: [] })
  })

  it('every mutant of it is killed by the case that must find it', () => {
    const kills = killTable(iotlbTranslated)
    expect(kills.length).toBeGreaterThanOrEqual(20)
    expect(
      kills.filter(({ verdict }) => verdict === null),
      formatKillTable(kills),
    ).toEqual([])
  }, 240_000)
})
