import { describe, expect, test } from 'vitest'
import { findTooDeep, type OwnDepth } from './call-depth.ts'

function depths(...functions: [start: number, frames: number, ...calls: [target: number, frames: number][]][]) {
  return new Map(
    functions.map(([start, frames, ...calls]): [number, OwnDepth] => [
      start,
      { frames, calls: new Map(calls.map(([target, at]) => [target, { frames: at, index: start + target }])) },
    ]),
  )
}

describe('frames of functions that are verified alone', () => {
  test('are added up along calls, from the depth of each call on', () => {
    expect(findTooDeep(depths([0, 3, [10, 3]], [10, 2, [20, 2]], [20, 3]), 8)).toBeUndefined()
    expect(findTooDeep(depths([0, 3, [10, 3]], [10, 2, [20, 2]], [20, 4]), 8)).toEqual({
      index: 10,
      isRecursive: false,
    })
  })

  test('a call outside of the deepest frame counts less', () => {
    expect(findTooDeep(depths([0, 8, [10, 1]], [10, 7]), 8)).toBeUndefined()
  })

  test('a circle is found, whatever its length', () => {
    const circle = depths([0, 1, [10, 1]], [10, 1, [20, 1]], [20, 1, [10, 1]])
    expect(findTooDeep(circle, 8)).toEqual({ index: 30, isRecursive: true })
  })

  test('functions that share others are looked at once', () => {
    const layers = Array.from({ length: 7 }, (_, i): [number, number, ...[number, number][]] => [
      i * 2,
      1,
      ...(i < 6 ? [[i * 2 + 2, 1] as [number, number]] : []),
    ])
    expect(findTooDeep(depths(...layers), 8)).toBeUndefined()
  })
})
