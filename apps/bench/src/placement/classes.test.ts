import { describe, expect, it } from 'vitest'
import { readArguments } from '../arguments.ts'
import { cores } from '../commands/cores.ts'
import { classOf, DEFAULT_BOUNDS, isAtBound, sliceClass } from './classes.ts'
import { readClasses } from './read-classes.ts'

const trip = (ns: number | null): { ns: number | null } => ({ ns })

describe('classes of a round trip', () => {
  it.each([
    [20, 'near'],
    [57, 'near'],
    [110, 'between'],
    [145, 'between'],
    [200, 'between'],
    [350, 'far'],
    [600, 'far'],
  ] as const)('%i ns is %s', (ns, expected) => {
    expect(classOf(ns, DEFAULT_BOUNDS)).toBe(expected)
    expect(isAtBound(ns, DEFAULT_BOUNDS)).toBe(false)
  })

  it('one at a bound is said to be there', () => {
    for (const ns of [76, 84, 210, 240]) expect(isAtBound(ns, DEFAULT_BOUNDS)).toBe(true)
  })

  it('a slice whose ends are of two classes is mixed, and one whose ends differ within a class', () => {
    expect(sliceClass(trip(57), trip(59), DEFAULT_BOUNDS)).toBe('near')
    expect(sliceClass(trip(57), trip(130), DEFAULT_BOUNDS)).toBe('mixed')
    expect(sliceClass(trip(350), trip(57), DEFAULT_BOUNDS)).toBe('mixed')
    expect(sliceClass(trip(100), trip(190), DEFAULT_BOUNDS)).toBe('mixed')
    expect(sliceClass(trip(110), trip(130), DEFAULT_BOUNDS)).toBe('between')
  })

  it('a slice with an end that could not be measured is unknown', () => {
    expect(sliceClass(trip(null), trip(57), DEFAULT_BOUNDS)).toBe('unknown')
    expect(sliceClass(trip(57), trip(null), DEFAULT_BOUNDS)).toBe('unknown')
  })

  it('have bounds of their own where --classes gives them', () => {
    expect(readClasses(readArguments(cores.args, []))).toBe(DEFAULT_BOUNDS)
    expect(readClasses(readArguments(cores.args, ['--classes', '60,300']))).toEqual({ nearNs: 60, farNs: 300 })
    for (const bad of ['80', '225,80', '1,2,3'])
      expect(() => readClasses(readArguments(cores.args, ['--classes', bad]))).toThrow('--classes')
  })
})
