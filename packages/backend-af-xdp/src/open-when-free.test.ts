import { systemError } from '@vring/linux'
import { expect, test } from 'vitest'
import { openWhenFree } from './open-when-free.ts'

const busy = systemError('bind', 16, 'another socket has this queue')

test('a queue that is in use is waited for, and that is told once', () => {
  let attempts = 0
  let told = 0
  const open = (): string => {
    if (++attempts < 4) throw busy
    return 'socket'
  }
  expect(openWhenFree(open, 10_000, () => told++)).toBe('socket')
  expect([attempts, told]).toEqual([4, 1])
})

test('no longer than the time that is given, and for nothing else', () => {
  const refuse = (error: Error) => (): never => {
    throw error
  }
  let told = 0
  expect(() => openWhenFree(refuse(busy), 0, () => told++)).toThrow(busy)
  const other = systemError('bind', 19, 'no such device')
  expect(() => openWhenFree(refuse(other), 10_000, () => told++)).toThrow(other)
  expect(told).toBe(0)
})
