import { type AccessorContext, type AccessorOptions, ERAS, RecordingCpu, recordSteps } from '@vring/accessor'
import { accessorConformance, formatKillTable, killTable } from '@vring/conformance'
import { DeviceIotlb } from '@vring/iotlb'
import { EAGAIN, EFAULT, ENOBUFS, splitRingAreas } from '@vring/layout'
import { ACCESS_READ, ACCESS_WRITE, PagedSpace } from '@vring/memory'
import { speculate } from '@vring/speculation'
import { describe, expect, it } from 'vitest'
import { iotlbTranslated } from './iotlb-translated.ts'
import { lookupSteps, steps } from './steps.ts'

for (const era of ERAS) accessorConformance(iotlbTranslated, { describe, it }, { options: { era } })

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
      const { accessor, cpu, iotlb, page } = setUp({ era, prefetch })
      iotlb.update(IOVA, 4096, page, READ_WRITE)
      expect(recordSteps(accessor, cpu), prefetch).toEqual((prefetch === 'on' ? steps : lookupSteps)[era])
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

  it('asks in the order desc, avail, used, one question a round', () => {
    const { accessor, iotlb, page, ring } = setUp()
    for (const area of ['desc', 'avail', 'used'] as const) {
      expect(accessor.beginRound()).toBe('miss')
      const perm = area === 'used' ? ACCESS_WRITE : ACCESS_READ
      expect(iotlb.takeMisses()).toEqual([{ iova: ring[area].address, perm }])
      iotlb.update(ring[area].address, ring[area].length, page + (ring[area].address - IOVA), perm)
    }
    expect(accessor.beginRound()).toBe('ready')
  })

  it('without prefetch a missing translation is -EAGAIN and a question, and the answer makes the access work', () => {
    const { accessor, iotlb, page } = setUp({ prefetch: 'off' })
    expect(accessor.beginRound()).toBe('ready')
    expect(accessor.avail.load16Acquire(2)).toBe(EAGAIN)
    expect(accessor.desc.loadDescriptor(0, new Uint32Array(4), 0)).toBe(EAGAIN)
    expect(iotlb.takeMisses()).toEqual([{ iova: IOVA + 1024 + 2, perm: ACCESS_READ }])
    iotlb.update(IOVA, 4096, page, READ_WRITE)
    expect(accessor.avail.load16Acquire(2)).toBe(0)
    accessor.endRound()
    expect(accessor.counters.snapshot()).toEqual({ 'avail.fallback:not-cached': 2, 'desc.fallback:not-cached': 1 })
  })

  it('a scalar in two translations is -EFAULT: it would not be one access', () => {
    const { accessor, iotlb, page } = setUp({ prefetch: 'off' })
    iotlb.update(IOVA, 2048 + 4 + 2, page, READ_WRITE)
    iotlb.update(IOVA + 2048 + 4 + 2, 2048, page + 4096 + 2, READ_WRITE)
    expect(accessor.used.load32(4)).toBe(EFAULT)
    expect(accessor.used.load16(4)).toBe(0)
    expect(accessor.used.load16(6)).toBe(0)
  })

  it('a put that is looked up asks for read permission: the kernel does, and only prefetch guards the used ring', () => {
    const { accessor, iotlb, page, space } = setUp({ prefetch: 'off' })
    iotlb.update(IOVA, 4096, page, ACCESS_READ)
    expect(accessor.used.store16(2, 7)).toBe(0)
    expect(space.read(page + 2048 + 2, 1)).toEqual(Uint8Array.of(7))
    // The copy of used elements does ask for write permission.
    expect(accessor.used.storeUsed(4, new Uint32Array(2), 0, 1)).toBe(EFAULT)
  })

  it('a copy is translated as a whole before anything is written', () => {
    const { accessor, iotlb, page, space } = setUp({ prefetch: 'off' })
    iotlb.update(IOVA, 2048 + 12, page, READ_WRITE)
    expect(accessor.used.storeUsed(4, Uint32Array.of(1, 2, 3, 4), 0, 2)).toBe(EAGAIN)
    expect(space.read(page + 2048 + 4, 8)).toEqual(new Uint8Array(8))
    expect(iotlb.takeMisses()).toEqual([{ iova: IOVA + 2048 + 12, perm: ACCESS_WRITE }])
  })

  it('a copy may have 64 segments and no more', () => {
    const { accessor, iotlb, page } = setUp({ prefetch: 'off' })
    for (let word = 0; word < 65; word++) iotlb.update(IOVA + 2048 + 4 * word, 4, page + 8192 + 8 * word, READ_WRITE)
    expect(accessor.used.storeUsed(0, new Uint32Array(64), 0, 32)).toBe(0)
    expect(accessor.used.storeUsed(0, new Uint32Array(66), 0, 33)).toBe(ENOBUFS)
  })

  it('a translation that breaks the alignment of words is -EFAULT, not another word', () => {
    const { accessor, iotlb, page } = setUp()
    iotlb.update(IOVA, 4096, page + 2, READ_WRITE)
    expect(accessor.beginRound()).toBe('ready')
    expect(accessor.used.load32(4)).toBe(EFAULT)
    expect(accessor.used.store16(2, 1)).toBe(EFAULT)
    expect(accessor.desc.loadDescriptor(0, new Uint32Array(4), 0)).toBe(EFAULT)
  })

  it('says in which mode an access would run', () => {
    const { accessor, iotlb, page } = setUp()
    expect(accessor.used.mode).toBe('fallback:not-cached')
    iotlb.update(IOVA, 4096, page, READ_WRITE)
    accessor.beginRound()
    expect(accessor.used.mode).toBe('translated')
    accessor.close()
    expect(accessor.used.mode).toBe('fallback:not-cached')
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
  })
})
