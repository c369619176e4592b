import { EFAULT, splitRingAreas } from '@vring/layout'
import { MappedSpace, memoryView } from '@vring/memory'
import { describe, expect, it } from 'vitest'
import type { Cpu } from '../ports/cpu.ts'
import { RecordingCpu } from '../ports/recording-cpu.ts'
import { CheckedScalarsUser2025, CheckedUser618, CheckedUser2019 } from './checked-user.ts'
import { CopyAccessor } from './copy-accessor.ts'
import { CopyWindow } from './copy-window.ts'
import { recordSteps } from './record-steps.ts'
import { UncheckedUser618, UncheckedUser2019 } from './unchecked-user.ts'
import type { UserAccess } from './user-access.ts'
import {
  checked618Steps,
  checked2019Steps,
  checkedScalars2025Steps,
  unchecked618Steps,
  unchecked2019Steps,
} from './user-steps.ts'

const BASE = 0x7f00_0000_0000
const forms = [
  { name: 'UncheckedUser2019', form: UncheckedUser2019, steps: unchecked2019Steps },
  { name: 'UncheckedUser618', form: UncheckedUser618, steps: unchecked618Steps },
  { name: 'CheckedUser2019', form: CheckedUser2019, steps: checked2019Steps },
  { name: 'CheckedUser618', form: CheckedUser618, steps: checked618Steps },
  { name: 'CheckedScalarsUser2025', form: CheckedScalarsUser2025, steps: checkedScalars2025Steps },
]

/** Two pages that are neighbours in the address space, each in a view of its own. */
function twoPages(): MappedSpace {
  const page = (address: number) => ({ address, length: 4096, view: memoryView(new ArrayBuffer(4096)), viewOffset: 0 })
  return new MappedSpace([page(BASE), page(BASE + 4096)])
}

/** Every access of a form at one address, by name. */
function accesses(user: UserAccess, address: number): Record<string, () => number> {
  const words = new Uint32Array(4)
  return {
    get16: () => user.get16(address),
    get16Acquire: () => user.get16Acquire(address),
    get32: () => user.get32(address),
    copyFrom: () => user.copyFrom(address, words, 0, 4),
    put16: () => user.put16(address, 1),
    put16Release: () => user.put16Release(address, 1),
    put32: () => user.put32(address, 1),
    'copyTo of 2': () => user.copyTo(address, words, 0, 2),
    'copyTo of 4': () => user.copyTo(address, words, 0, 4),
  }
}

describe.each(forms)('$name', ({ form, steps }) => {
  it('takes the steps of its table, in order', () => {
    const cpu = new RecordingCpu()
    const space = twoPages()
    const ring = splitRingAreas(2, false, BASE, BASE + 64, BASE + 128)
    const accessor = new CopyAccessor('test', { cpu, space, ring, iotlb: null }, new form(cpu, space))
    expect(recordSteps(accessor, cpu, ring)).toEqual(steps)
  })

  it.each([
    ['unmapped', 0x1000],
    ['the last byte of user space', 2 ** 47 - 4096 - 4],
    ['the first kernel address', 2 ** 47 - 4096],
    ['the kernel half', 0xffff_8880_0000_0000],
    ['2^53 and beyond', 2 ** 60],
    ['negative', -4096],
  ])('gives -EFAULT at %s with stac and clac balanced', (_, address) => {
    const cpu = new RecordingCpu()
    for (const [name, access] of Object.entries(accesses(new form(cpu, twoPages()), address))) {
      cpu.reset()
      expect(access(), name).toBe(EFAULT)
      expect(cpu.steps.clac, name).toBe(cpu.steps.stac)
      expect(cpu.ac, name).toBe(false)
      expect(cpu.steps.load + cpu.steps.store, name).toBe(0)
    }
  })

  it('moves data there and back', () => {
    const user = new form(new RecordingCpu(), twoPages())
    expect(user.put16(BASE, 0xfffe)).toBe(0)
    expect(user.put16Release(BASE + 2, 0x8001)).toBe(0)
    expect(user.get16(BASE)).toBe(0xfffe)
    expect(user.get16Acquire(BASE + 2)).toBe(0x8001)
    expect(user.get32(BASE)).toBe(0x8001_fffe)
    expect(user.put32(BASE + 4, 0xffff_ffff)).toBe(0)
    expect(user.copyTo(BASE + 8, Uint32Array.of(0, 0, 5, 6, 7, 8), 2, 4)).toBe(0)
    expect(user.copyTo(BASE + 24, Uint32Array.of(0, 9, 10), 1, 2)).toBe(0)
    const out = new Uint32Array(5)
    expect(user.copyFrom(BASE, out, 1, 4)).toBe(0)
    expect([...out]).toEqual([0, 0x8001_fffe, 0xffff_ffff, 5, 6])
    expect(user.copyFrom(BASE + 16, out, 0, 4)).toBe(0)
    expect([...out.subarray(0, 4)]).toEqual([7, 8, 9, 10])
  })

  it('copies across pages that are not neighbours, in one stac/clac pair', () => {
    const cpu = new RecordingCpu()
    const user = new form(cpu, twoPages())
    const elements = Uint32Array.of(1, 2, 3, 4)
    expect(user.copyTo(BASE + 4092, elements, 0, 4)).toBe(0)
    expect(cpu.steps.stac).toBe(1)
    expect(cpu.steps.store).toBe(4)
    cpu.reset()
    const out = new Uint32Array(4)
    expect(user.copyFrom(BASE + 4092, out, 0, 4)).toBe(0)
    expect(cpu.steps.stac).toBe(1)
    expect([...out]).toEqual([...elements])
  })

  it('a copy that runs off the mapped pages is -EFAULT and closes user memory', () => {
    const cpu = new RecordingCpu()
    const user = new form(cpu, twoPages())
    expect(user.copyTo(BASE + 8188, new Uint32Array(8), 0, 8)).toBe(EFAULT)
    expect(user.copyFrom(BASE + 8188, new Uint32Array(4), 0, 4)).toBe(EFAULT)
    expect(cpu.steps.clac).toBe(cpu.steps.stac)
    expect(cpu.ac).toBe(false)
  })
})

describe('the copier of iterators', () => {
  it('checks the limit once and copies words across pages', () => {
    const cpu = new RecordingCpu()
    const user = new UncheckedUser2019(cpu, twoPages())
    expect(user.copyOut(BASE + 4088, Uint32Array.of(0, 1, 2, 3), 1, 3)).toBe(0)
    expect(cpu.steps).toMatchObject({ limitCheck: 1, stac: 1, clac: 1, lfence: 0 })
    const words = new Uint32Array(3)
    expect(user.copyIn(BASE + 4088, words, 0, 3)).toBe(0)
    expect([...words]).toEqual([1, 2, 3])
    expect(user.copyIn(2 ** 47, words, 0, 3)).toBe(EFAULT)
  })
})

describe('CopyWindow', () => {
  it('an area is reached as its access says, and no other way', () => {
    const user = new UncheckedUser2019(new RecordingCpu() as Cpu, twoPages())
    const words = new Uint32Array(4)
    const at = { address: BASE, length: 4096 }
    const loads = (window: CopyWindow) => [
      window.load16(0),
      window.load16Acquire(0),
      window.load32(0),
      window.loadWords(0, words, 0, 4),
    ]
    const stores = (window: CopyWindow) => [
      window.store16(0, 0),
      window.store16Release(0, 0),
      window.store32(0, 0),
      window.storeWords(0, words, 0, 4),
    ]
    const refusals = Array(4).fill(EFAULT)
    const done = Array(4).fill(0)
    expect(loads(new CopyWindow(user, { ...at, access: 'read' }))).toEqual(done)
    expect(stores(new CopyWindow(user, { ...at, access: 'read' }))).toEqual(refusals)
    expect(loads(new CopyWindow(user, { ...at, access: 'write' }))).toEqual(refusals)
    expect(stores(new CopyWindow(user, { ...at, access: 'write' }))).toEqual(done)
  })

  it('counts each access, faulted ones too', () => {
    const user = new UncheckedUser2019(new RecordingCpu() as Cpu, twoPages())
    const window = new CopyWindow(user, { address: BASE, length: 4096, access: 'read-write' })
    const words = new Uint32Array(4)
    window.load16(0)
    window.load16Acquire(0)
    window.load32(0)
    window.loadWords(0, words, 0, 4)
    window.store16(0, 1)
    window.store16Release(0, 1)
    window.store32(0, 1)
    window.storeWords(0, words, 0, 4)
    expect(window.load16(8192)).toBe(EFAULT)
    expect(window.takeHits()).toBe(9)
    expect(window.takeHits()).toBe(0)
  })
})

describe('CopyAccessor', () => {
  const space = twoPages()
  const cpu = new RecordingCpu()

  it('refuses an area above the limit, once, where unchecked accesses rely on it', () => {
    const ring = splitRingAreas(2, false, BASE, BASE + 64, 2 ** 47 - 4096 - 8)
    expect(
      () => new CopyAccessor('test', { cpu, space, ring, iotlb: null }, new UncheckedUser2019(cpu, space)),
    ).toThrow(/^device is \d+; accepted: an area that ends at or below 140737488351232$/)
  })

  it('refuses a device IOTLB', () => {
    const ring = splitRingAreas(2, false, BASE, BASE + 64, BASE + 128)
    const iotlb = { generation: 0, lookup: () => null, miss: () => {} }
    expect(() => new CopyAccessor('test', { cpu, space, ring, iotlb }, new UncheckedUser2019(cpu, space))).toThrow(
      expect.objectContaining({ code: 'ERR_UNSUPPORTED' }),
    )
  })
})
